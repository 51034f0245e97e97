// Overlayfs's own marks for what a layer removes (Linux, Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories").
import { loadSyscalls } from "./syscalls.ts";

const characterDevice = 0o020000;

/** Makes the mark that hides whatever lower layers have under this name. */
export function makeWhiteout(path: string): void {
  loadSyscalls().mknod(path, characterDevice, 0, 0);
}

/** Makes the directory hide all that lower layers have in it. */
export function setOpaque(directory: string, userXattr: boolean): void {
  loadSyscalls().lsetxattr(directory, opaqueName(userXattr), new Uint8Array([0x79]));
}

/** True when the directory hides what is below. */
export function isOpaque(directory: string, userXattr: boolean): boolean {
  return loadSyscalls().lgetxattr(directory, opaqueName(userXattr))?.[0] === 0x79;
}

function opaqueName(userXattr: boolean): string {
  return userXattr ? "user.overlay.opaque" : "trusted.overlay.opaque";
}
