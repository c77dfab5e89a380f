// Where jobs run: in a worker, or where the browser refuses one, in this page between two frames.

import { Engine } from "./engine.js";
import { Jobs } from "./jobs.js";

/** A line to one worker; `receive` gets the results of the newest job of each kind. */
export class Client {
  static async open(source, code, description, members, receive) {
    const client = new Client(receive);
    try {
      await client.openWorker(source, { code, description, members });
    } catch {
      const jobs = new Jobs(await Engine.load(code, description), members, (message) => client.receive(message));
      client.send = (job) => jobs.start(job);
    }
    return client;
  }

  constructor(receive) {
    this.tokens = {};
    this.receive = (message) => {
      if (this.tokens[message.kind] === message.token) receive(message);
    };
  }

  openWorker(source, first) {
    return new Promise((resolve, reject) => {
      const worker = new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
      worker.onerror = reject;
      worker.onmessage = (answer) => {
        if (!answer.data.ready) reject(new Error("the model cannot run in a worker"));
        worker.onmessage = ({ data }) => this.receive(data);
        this.send = (job) => worker.postMessage(job);
        resolve();
      };
      worker.postMessage(first);
    });
  }

  /** Start a job in place of an older one of its kind. */
  start(job) {
    this.tokens[job.kind] = (this.tokens[job.kind] ?? 0) + 1;
    this.send({ ...job, token: this.tokens[job.kind] });
  }

  /** Forget the job of a kind; its results are ignored. */
  cancel(kind) {
    this.tokens[kind] = (this.tokens[kind] ?? 0) + 1;
  }
}
