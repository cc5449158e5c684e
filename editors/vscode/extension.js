// Colours come from the grammar alone; this starts `cnndsl lsp` for everything else.
"use strict";

const { execFile } = require("node:child_process");
const vscode = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

const HOW_TO = "Install it with `pip install 'cnndsl[lsp]'`, or say where it is in the setting `cnndsl.path`.";
let client; // the server that runs, if any
let turn = Promise.resolve(); // starts and stops happen one after the other

function settings() {
  const found = vscode.workspace.getConfiguration("cnndsl");
  return { path: found.get("path") || "cnndsl", enabled: found.get("server.enabled") };
}

// What keeps the program from serving, or undefined: asked before the client hides it in a log.
function obstacle(path) {
  return new Promise((resolve) => {
    execFile(path, ["lsp", "--help"], { timeout: 30000 }, (error, _, said) => {
      if (!error) resolve(undefined);
      else if (error.code === "ENOENT") resolve(`\`${path}\` was not found. ${HOW_TO}`);
      else if (error.code === "EACCES") resolve(`\`${path}\` is not a program. ${HOW_TO}`);
      else resolve(`\`${path} lsp\` does not work: ${lastLine(said) || error.message}`);
    });
  });
}

function lastLine(text) {
  return text.trim().split("\n").pop();
}

async function complain(message) {
  const choice = await vscode.window.showErrorMessage(`cnndsl: ${message}`, "Open Settings");
  if (choice) await vscode.commands.executeCommand("workbench.action.openSettings", "cnndsl");
}

async function start() {
  const { path, enabled } = settings();
  if (!enabled || !vscode.workspace.isTrusted) return;
  const message = await obstacle(path);
  if (message) {
    void complain(message); // the next start does not wait for an answer
    return;
  }
  const starting = new LanguageClient(
    "cnndsl",
    "cnndsl",
    { command: path, args: ["lsp"] },
    { documentSelector: [{ scheme: "file", language: "cnn" }, { scheme: "untitled", language: "cnn" }] },
  );
  try {
    await starting.start();
    client = starting;
  } catch (error) {
    void complain(`the server did not start: ${error.message}`);
  }
}

async function stop() {
  const stopping = client;
  client = undefined;
  if (stopping) await stopping.dispose();
}

function restart() {
  turn = turn.then(stop).then(start).catch((error) => complain(error.message));
  return turn;
}

function activate(context) {
  context.subscriptions.push(
    vscode.commands.registerCommand("cnndsl.restart", restart),
    vscode.workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration("cnndsl")) void restart();
    }),
    vscode.workspace.onDidGrantWorkspaceTrust(() => void restart()),
  );
  return restart();
}

function deactivate() {
  turn = turn.then(stop);
  return turn;
}

module.exports = { activate, deactivate };
