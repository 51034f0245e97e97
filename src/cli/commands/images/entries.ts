// Images and registries among kiln's commands. Each is loaded when it is needed.
import type { Entry } from "../entry.ts";

export const copyEntry: Entry = {
  name: "copy",
  summary: "Copy an image between registries and OCI layouts",
  load: async () => (await import("./copy.ts")).copy,
};

export const diffEntry: Entry = {
  name: "diff",
  summary: "Explain how two images differ",
  load: async () => (await import("./diff.ts")).diff,
};

export const imageEntry: Entry = {
  name: "image",
  summary: "Work with images of the local store",
  children: [
    {
      name: "load",
      summary: "Load images from an archive into the local store",
      load: async () => (await import("./image-load.ts")).imageLoad,
    },
    {
      name: "ls",
      aliases: ["list"],
      summary: "List images of the local store",
      load: async () => (await import("./image-ls.ts")).imageLs,
    },
    {
      name: "rm",
      aliases: ["remove"],
      summary: "Remove names from the local store",
      load: async () => (await import("./image-rm.ts")).imageRm,
    },
    {
      name: "save",
      summary: "Save images of the local store to an archive",
      load: async () => (await import("./image-save.ts")).imageSave,
    },
    {
      name: "tag",
      summary: "Give an image of the local store another name",
      load: async () => (await import("./image-tag.ts")).imageTag,
    },
  ],
};

export const imagetoolsEntry: Entry = {
  name: "imagetools",
  summary: "Work with images in registries",
  children: [
    {
      name: "create",
      summary: "Create a new image based on source images",
      load: async () => (await import("./imagetools-create.ts")).imagetoolsCreate,
    },
    {
      name: "inspect",
      summary: "Show details of an image in the registry",
      load: async () => (await import("./imagetools-inspect.ts")).imagetoolsInspect,
    },
  ],
};

export const loginEntry: Entry = {
  name: "login",
  summary: "Log in to a registry",
  load: async () => (await import("./login.ts")).login,
};

export const logoutEntry: Entry = {
  name: "logout",
  summary: "Log out from a registry",
  load: async () => (await import("./logout.ts")).logout,
};

export const manifestEntry: Entry = {
  name: "manifest",
  summary: "Manage manifest lists as docker manifest does",
  children: [
    {
      name: "annotate",
      summary: "Add additional information to a local image manifest",
      load: async () => (await import("./manifest-annotate.ts")).manifestAnnotate,
    },
    {
      name: "create",
      summary: "Create a local manifest list for annotating and pushing to a registry",
      load: async () => (await import("./manifest-create.ts")).manifestCreate,
    },
    {
      name: "inspect",
      summary: "Display an image manifest, or manifest list",
      load: async () => (await import("./manifest-inspect.ts")).manifestInspect,
    },
    {
      name: "push",
      summary: "Push a manifest list to a repository",
      load: async () => (await import("./manifest-push.ts")).manifestPush,
    },
    {
      name: "rm",
      summary: "Delete one or more manifest lists from local storage",
      load: async () => (await import("./manifest-rm.ts")).manifestRm,
    },
  ],
};
