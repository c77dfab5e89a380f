// The worker: loads the compiled model and runs jobs, so that the sliders never wait.

import { Engine } from "./engine.js";
import { Jobs } from "./jobs.js";

let jobs = null;

self.onmessage = async ({ data }) => {
  if (data.code) {
    const engine = await Engine.load(data.code, data.description).catch(() => null);
    jobs = engine && new Jobs(engine, data.members, (message) => self.postMessage(message));
    self.postMessage({ ready: engine !== null });
  } else {
    await jobs.start(data);
  }
};
