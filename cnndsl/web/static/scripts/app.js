// The page of `cnndsl compile --web`: no build step. `model.json` says what the files beside it are.

import { Classify, compiled } from "./classify.js";
import { $, fetched, guarded } from "./dom.js";
import { Runtime } from "./runtime.js";
import { Teach } from "./teach.js";

function tellAbout(name, classes, does = "knows") {
  document.title = name;
  $("h1").textContent = name;
  const some = classes.slice(0, 12).join(" · ");
  $("#about").textContent = some && `It ${does} ${some}${classes.length > 12 ? ` and ${classes.length - 12} more` : ""}.`;
}

async function start() {
  const settings = await (await fetched("model.json")).json();
  const { name, model, learn } = settings;
  tellAbout(name, model?.classes ?? [], model?.task?.task === "regression" ? "measures" : "knows");
  const runtime = await Runtime.open(settings.runtime);
  const classify = new Classify(settings, model && (await compiled(runtime, settings)));
  if (learn) {
    new Teach(runtime, settings, (answer, classes) => {
      tellAbout(name, classes);
      classify.learned(answer);
    });
  }
  $("#runs").textContent = runtime.told([...(model?.operators ?? []), ...(learn?.operators ?? [])]);
  $("main").hidden = false;
}

guarded($("#status"), start);
