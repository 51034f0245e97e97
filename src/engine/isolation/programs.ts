// The programs of the machine that isolation is made with.
import { accessSync, constants, statSync } from "node:fs";
import { join } from "node:path";

/** Where distributions keep what users' PATHs lack. */
const usual: readonly string[] = [
  "/usr/local/bin",
  "/usr/bin",
  "/bin",
  "/usr/local/sbin",
  "/usr/sbin",
  "/sbin",
];

/** The first executable file of that name in `path`, a list as in PATH, or in the usual places. */
export function findProgram(name: string, path: string): string | undefined {
  const places = [...path.split(":").filter((one) => one.startsWith("/")), ...usual];
  return places.map((place) => join(place, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
