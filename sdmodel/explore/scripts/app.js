// The page: unpacks the model, builds the views and connects them.

import { readChanges, writeChanges } from "./changes.js";
import { Client } from "./client.js";
import { Contributions } from "./contributions.js";
import { Diagram, VariableCard } from "./diagram.js";
import { byId, download, element } from "./dom.js";
import { Engine } from "./engine.js";
import { Explorer } from "./explorer.js";
import { showLevers } from "./levers.js";
import { unpack, unshuffle } from "./packing.js";
import { Panel } from "./panels.js";
import { Charts, HeadlineTable, aboutPage, select, showChanged } from "./sections.js";

const LATER = 150; // milliseconds without a change before heavy work and the address follow

async function start() {
  const text = (id) => byId(id).textContent;
  const contents = JSON.parse(new TextDecoder().decode(await unpack(text("contents"))));
  const code = await unpack(text("module"));
  const members = contents.members && { ...contents.members, values: unshuffle(await unpack(text("members"))) };
  const engine = await Engine.load(code, contents.module);
  const explorer = new Explorer(contents, engine, members);
  showHeader(explorer);
  showLevers(byId("levers"), explorer);
  showChanged(explorer);
  const source = new TextDecoder().decode(await unpack(text("worker")));
  const views = new Views(explorer, await openClients(source, code, explorer, (message) => views.receive(message)));
  explorer.readAddress(location.hash);
  window.addEventListener("hashchange", () => explorer.readAddress(location.hash));
  followDrops(explorer);
  document.documentElement.dataset.ready = "true";
  Object.assign(window, { explorer, views }); // for the console of the browser
}

/** A worker for members, and one for levers, so that neither waits for the other. */
async function openClients(source, code, explorer, receive) {
  const open = (members) => Client.open(source, code, explorer.contents.module, members, receive);
  return { members: explorer.members ? await open(explorer.members) : null, levers: await open(null) };
}

/** The tabs and what they show. */
class Views {
  constructor(explorer, clients) {
    this.explorer = explorer;
    this.clients = clients;
    this.charts = new Charts(explorer);
    this.contributions = new Contributions(explorer, (job) => clients.levers.start(job));
    this.card = new VariableCard(explorer);
    this.diagram = new Diagram(explorer, (place) => this.card.open(place));
    const table = new HeadlineTable(explorer);
    this.focus = this.focusPanel();
    this.tabs = [
      { name: "levers", text: "Levers", node: element("div", {}), update: () => {} },
      { name: "charts", text: "Charts", node: this.charts.node, update: (told) => this.charts.update(told) },
      { name: "table", text: "Table", node: table.node, update: () => table.update() },
      {
        name: "contributions",
        text: "By lever",
        node: this.contributions.node,
        update: () => {},
        later: () => this.contributions.update(),
      },
      { name: "diagram", text: "Diagram", node: this.diagram.node, update: () => this.diagram.update() },
      { name: "about", text: "About", node: aboutPage(explorer), update: () => {} },
    ];
    this.build();
    explorer.moveCursor = (place) => {
      if (explorer.cursor === place) return;
      explorer.cursor = place;
      this.charts.moveCursor();
      this.card.panel?.drawCursor();
      this.focus?.drawCursor();
    };
    explorer.listen((told) => this.update(told));
    window.addEventListener("resize", () => explorer.tell("options"));
  }

  build() {
    const choose = (name) => this.explorer.setOption("tab", name);
    for (const tab of this.tabs) {
      tab.button = element("button", {
        type: "button",
        role: "tab",
        id: `tab-${tab.name}`,
        "aria-controls": `view-${tab.name}`,
        text: tab.text,
        onclick: () => choose(tab.name),
      });
      tab.panel = element(
        "div",
        { role: "tabpanel", id: `view-${tab.name}`, "aria-labelledby": tab.button.id, class: "view" },
        [tab.node],
      );
      tab.button.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!step) return;
        const shown = this.tabs.filter((one) => one.button.offsetParent);
        const next = shown[(shown.indexOf(tab) + step + shown.length) % shown.length];
        choose(next.name);
        next.button.focus();
      });
    }
    byId("tabs").append(...this.tabs.map((tab) => tab.button));
    byId("tabbar").append(this.finder());
    byId("views").append(this.card.node, ...this.tabs.map((tab) => tab.panel));
  }

  /** A field that finds a variable by its name and opens its card. */
  finder() {
    const { variables } = this.explorer.contents;
    const list = element(
      "datalist",
      { id: "variables" },
      variables.map(({ name }) => element("option", { value: name })),
    );
    const field = element("input", {
      type: "search",
      list: "variables",
      placeholder: "Find a variable",
      "aria-label": "Find a variable",
      onchange: () => {
        const place = variables.findIndex(({ name }) => name.toLowerCase() === field.value.trim().toLowerCase());
        if (place >= 0) this.card.open(place);
      },
    });
    return element("span", { class: "finder" }, [field, list]);
  }

  /** On a phone, one chart stays above the levers. */
  focusPanel() {
    const { explorer } = this;
    const panels = explorer.contents.panels;
    if (!panels.length) return null;
    const holder = element("div", { class: "focus" });
    const show = (title) => {
      this.focus = new Panel(explorer, panels.find((panel) => panel.title === title) ?? panels[0], {
        height: 120,
        removable: false,
      });
      holder.replaceChildren(
        select(
          "Chart",
          panels.map((panel) => [panel.title, panel.title]),
          title,
          show,
        ),
        this.focus.node,
      );
      this.focus.draw();
    };
    byId("levers-title").after(holder);
    show(panels[0].title);
    return this.focus;
  }

  update(told) {
    const { explorer } = this;
    const wide = window.matchMedia("(min-width: 760px)").matches;
    const wanted = explorer.options.tab === "levers" && wide ? "charts" : explorer.options.tab;
    const current = this.tabs.find((tab) => tab.name === wanted) ?? this.tabs[1];
    document.body.dataset.tab = current.name;
    for (const tab of this.tabs) {
      tab.button.setAttribute("aria-selected", String(tab === current));
      tab.button.tabIndex = tab === current ? 0 : -1;
      tab.panel.hidden = tab !== current;
    }
    current.update(told);
    this.card.update(told);
    if (current.name === "levers") this.focus?.draw();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.follow(current), LATER);
  }

  /** What may lag behind the sliders: the address, contributions and bands. */
  follow(current) {
    const { explorer } = this;
    writeLocation(explorer);
    current.later?.();
    const signature = JSON.stringify([[...explorer.changes], explorer.shownOutputs]);
    if (this.clients.members && explorer.options.bands !== "off" && signature !== this.asked) {
      this.asked = signature;
      this.clients.members.start({
        kind: "members",
        changes: [...explorer.changes],
        outputs: explorer.shownOutputs,
        count: explorer.members.count,
      });
    }
  }

  receive(message) {
    if (message.kind === "members") {
      this.charts.receiveBands(message);
      if (message.bands && this.focus) {
        for (const [output, found] of this.charts.quantiles) this.focus.setBands(output, found);
        if (this.explorer.options.tab === "levers") this.focus.draw();
      }
    } else this.contributions.receive(message);
  }
}

function writeLocation(explorer) {
  try {
    history.replaceState(null, "", `#${explorer.addressText()}`);
  } catch {
    // a page inside another page has no address of its own
  }
}

function showHeader(explorer) {
  const { model, scenarios } = explorer.contents;
  byId("title").textContent = model.name;
  byId("subtitle").textContent =
    `Model ${model.file}, SHA-256 ${model.sha256.slice(0, 12)}. Move a lever; everything follows.`;
  byId("footer").textContent = `${model.file}, SHA-256 ${model.sha256}, sdmodel ${explorer.contents.module.version}`;
  const button = (text, title, onclick) => element("button", { type: "button", text, title, onclick });
  const pins = ["A", "B"].map((pin) => {
    const own = element("button", {
      type: "button",
      "aria-pressed": "false",
      onclick: () => explorer.setPin(pin, explorer.pins[pin] ? null : explorer.changes),
    });
    explorer.listen(() => {
      own.textContent = explorer.pins[pin] ? `Unpin ${pin}` : `Pin as ${pin}`;
      own.setAttribute("aria-pressed", String(Boolean(explorer.pins[pin])));
    });
    own.textContent = `Pin as ${pin}`;
    return own;
  });
  const file = element("input", {
    type: "file",
    accept: ".cin,.txt",
    hidden: true,
    "aria-label": "Change file",
    onchange: () => openFiles(explorer, file.files),
  });
  byId("tools").append(
    button("Reset all", "Set every constant to its base value", () => explorer.setChanges(new Map())),
    ...pins,
    button("Copy link", "Copy an address that opens this page as it is", (event) =>
      copyLink(explorer, event.currentTarget),
    ),
    button("Save .cin", "Save the changes as a Vensim change file", () =>
      download(
        `${model.name}.cin`,
        writeChanges(explorer.changes, explorer.names, `Made with the explorer of ${model.file}`),
        "text/plain",
      ),
    ),
    button("Open .cin", "Apply a Vensim change file; you can also drop it on the page", () => {
      file.value = ""; // the same file may have changed
      file.click();
    }),
    button("Print", "Print the charts and the changes", () => window.print()),
    file,
  );
  const buttons = scenarios.map((scenario) =>
    element("button", {
      type: "button",
      text: scenario.name,
      title: scenario.about,
      onclick: () => explorer.setChanges(new Map(scenario.changes)),
    }),
  );
  explorer.listen(() => {
    scenarios.forEach((scenario, at) => {
      buttons[at].setAttribute("aria-pressed", String(sameChanges(explorer, scenario.changes)));
    });
  });
  byId("scenarios").hidden = !scenarios.length;
  byId("scenarios").append(element("span", { class: "hint", text: "Scenarios" }), ...buttons);
}

function sameChanges(explorer, changes) {
  const moved = changes.filter(([place, value]) => value !== explorer.baseValue(place));
  return (
    moved.length === explorer.changes.size && moved.every(([place, value]) => explorer.changes.get(place) === value)
  );
}

async function copyLink(explorer, button) {
  writeLocation(explorer);
  try {
    await navigator.clipboard.writeText(location.href);
    button.textContent = "Copied";
  } catch {
    const field = element("input", { value: location.href, "aria-label": "Link" });
    button.after(field);
    field.select();
    button.textContent = document.execCommand("copy") ? "Copied" : "Copy it from here";
    setTimeout(() => field.remove(), 4000);
  }
  setTimeout(() => {
    button.textContent = "Copy link";
  }, 2000);
}

async function openFiles(explorer, files) {
  for (const file of files) {
    const { changes, refused } = readChanges(await file.text(), explorer.names);
    explorer.notices = refused.length
      ? [`${file.name}: not applied, since the page can only set constants of the model: ${refused.join("; ")}`]
      : [];
    explorer.setChanges(changes);
  }
}

function followDrops(explorer) {
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    openFiles(explorer, event.dataTransfer.files);
  });
}

start().catch((error) => {
  byId("notices").append(
    element("p", { class: "notice", text: `The model cannot run in this browser: ${error.message}` }),
  );
});
