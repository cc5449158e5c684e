"""Folders in which others store models: told with the file to give."""

from pathlib import Path

from cnndsl.source import UserError


def refuse_folder(path: Path) -> None:
    """UserError for a folder in the place of a file, with the way to a file where it is known."""
    if not path.is_dir():
        return
    if (path / "saved_model.pb").is_file():
        raise UserError(f'{path} is a SavedModel of TensorFlow, which is a program\n'
                        '  in Keras, model.save("model.keras") writes its layers')  # fmt: skip
    if (path / "config.json").is_file() and (path / "model.weights.h5").is_file():
        raise UserError(f"{path} is a model of Keras in a folder\n"
                        f"  cd {path} && zip -r ../model.keras . makes a file of it")  # fmt: skip
    raise UserError(f"{path} is a folder; give a file")
