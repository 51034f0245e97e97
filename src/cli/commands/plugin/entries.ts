// What makes Kiln a part of docker, among kiln's commands. Each is loaded when it is needed.
import type { Entry } from "../entry.ts";

export const installEntry: Entry = {
  name: "install",
  summary: "Install buildx as a 'docker builder' alias",
  hidden: true,
  load: async () => (await import("./builder-alias.ts")).install,
};

export const pluginEntry: Entry = {
  name: "plugin",
  summary: "Use Kiln as a plugin of docker's command",
  children: [
    {
      name: "install",
      summary: "Make Kiln a plugin of docker's command",
      load: async () => (await import("./plugin-install.ts")).pluginInstall,
    },
    {
      name: "uninstall",
      summary: "Take Kiln out of docker's plugins",
      load: async () => (await import("./plugin-uninstall.ts")).pluginUninstall,
    },
  ],
};

export const uninstallEntry: Entry = {
  name: "uninstall",
  summary: "Uninstall the 'docker builder' alias",
  hidden: true,
  load: async () => (await import("./builder-alias.ts")).uninstall,
};
