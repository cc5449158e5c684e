"""Runs a step as one graph. Two sets of state, in turn: new weights never alias old ones."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.runtime.session import DeviceTensor, graph_number, open_session, runtime, zeros
from cnndsl.runtime.steppers.base import Arrays


class FusedStepper:
    """A session of a step graph with its state on the device.

    `graph` is the serialised step; `state` every state tensor at its start, in the step's layout.
    On CUDA all tensors of the step keep their addresses, as a `cuda_graph` needs.
    """

    def __init__(
        self, graph: bytes, state: Arrays, device: str = "cpu", threads: int | None = None,
        cuda_graph: bool = False,
    ) -> None:  # fmt: skip
        self.session = open_session(graph, device, threads, lean=True, cuda_graph=cuda_graph)
        self._cuda = "CUDAExecutionProvider" in self.session.get_providers()
        self._device = "cuda" if self._cuda else "cpu"
        self._value = runtime().OrtValue
        results = [o for o in self.session.get_outputs() if "." not in o.name]  # no state
        self._results = {o.name: self._new(zeros(o)) for o in results}
        self._sets = (self._all(state), self._all(state))
        ways = ((0, 1), (1, 0))
        self._bindings = [self._binding(self._sets[a], self._sets[b]) for a, b in ways]
        self._options = [graph_number(i) if cuda_graph else None for i in (1, 2)]
        self._inputs = dict[str, DeviceTensor]()  # on CUDA: what a step is fed
        self._turn = 0

    def _new(self, array: NDArray[Any]) -> DeviceTensor:
        return self._value.ortvalue_from_numpy(np.ascontiguousarray(array), self._device, 0)

    def _all(self, state: Arrays) -> dict[str, DeviceTensor]:
        return {name: self._new(array.copy()) for name, array in state.items()}

    def _binding(
        self, before: Mapping[str, DeviceTensor], after: Mapping[str, DeviceTensor]
    ) -> Any:
        binding = self.session.io_binding()
        wanted = {i.name for i in self.session.get_inputs()}
        made = {o.name for o in self.session.get_outputs()}
        for name, value in before.items():
            if name in wanted:
                binding.bind_ortvalue_input(name, value)
            if f"{name}.new" in made:
                binding.bind_ortvalue_output(f"{name}.new", after[name])
        for name, value in self._results.items():
            binding.bind_ortvalue_output(name, value)
        return binding

    def step(self, inputs: Arrays) -> None:
        """One step on a batch: `x`, `y`, `lr` and random inputs. The arrays are read, not kept."""
        binding = self._bindings[self._turn]
        for name, array in inputs.items():
            if self._cuda:
                self._copy(name, np.ascontiguousarray(array))
            else:
                binding.bind_cpu_input(name, array)
        self.session.run_with_iobinding(binding, self._options[self._turn])
        self._turn = 1 - self._turn

    def _copy(self, name: str, array: NDArray[Any]) -> None:
        """Into the input's place on the device, which the first step makes."""
        if name in self._inputs:
            self._inputs[name].update_inplace(array)
            return
        self._inputs[name] = self._new(array)
        for binding in self._bindings:
            binding.bind_ortvalue_input(name, self._inputs[name])

    @property
    def loss(self) -> float:
        """Mean loss of the last batch, before its update."""
        return float(self._results["loss"].numpy())

    @property
    def tally(self) -> float:
        """The step's output beside the loss: a sum over the last batch, such as right answers."""
        (other,) = (value for name, value in self._results.items() if name != "loss")
        return float(other.numpy())

    def state(self) -> dict[str, NDArray[Any]]:
        """A copy of the state now."""
        return {name: value.numpy().copy() for name, value in self._sets[self._turn].items()}

    def state_before(self) -> dict[str, NDArray[Any]]:
        """A copy of the state before the last step."""
        return {n: value.numpy().copy() for n, value in self._sets[1 - self._turn].items()}

    def load(self, state: Arrays) -> None:
        """Replace the state."""
        for values in self._sets:
            for name, value in values.items():
                value.update_inplace(np.ascontiguousarray(state[name]))
