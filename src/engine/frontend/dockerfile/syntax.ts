// `# syntax=`: the standard frontends are answered by the built-in one; others are named for what they are.
import type { BuildBridge } from "../../../api/index.ts";
import { isKilnError, KilnError } from "../../../base/index.ts";
import { detectSyntax } from "../../../formats/dockerfile/index.ts";
import { encodeDefinition } from "../../../formats/llb/index.ts";
import { isStandardFrontend } from "../standard.ts";
import type { BuildFiles } from "./build-files.ts";

/** The version of the Dockerfile language that the built-in frontend knows. */
const known = { major: 1, minor: 26 };

const standard = /^(?:docker\.io\/)?docker\/dockerfile(?:-upstream)?(?::([^@]*))?(?:@.*)?$/;

interface OtherFrontend {
  readonly reference: string;
  readonly commandLine: string;
  /** Where the file names it. */
  readonly line?: number;
}

/** The frontend that the file, or in its place the caller, names, unless it is the built-in one. */
export function otherFrontend(
  files: BuildFiles,
  wanted: string | undefined,
): OtherFrontend | undefined {
  const found: OtherFrontend | undefined =
    wanted === undefined
      ? detectSyntax(files.dockerfile)
      : { reference: wanted.trim().split(/\s+/, 1)[0] ?? "", commandLine: wanted };
  return found && found.reference !== "" && !isStandardFrontend(found.reference)
    ? found
    : undefined;
}

/** Says when the file, or in its place the caller, asks for more than is known here; the build goes on, since most files ask for more than they use. */
export function warnOfSyntax(
  files: BuildFiles,
  wanted: string | undefined,
  bridge: BuildBridge,
): void {
  const directive = wanted === undefined ? detectSyntax(files.dockerfile) : undefined;
  const reference = wanted ?? directive?.reference;
  // The name of the built-in frontend is a way to ask for it.
  if (reference === undefined || reference === "dockerfile.v0") return;
  const match = standard.exec(reference);
  const text = new TextDecoder().decode(files.dockerfile);
  const place = { file: files.filename, line: directive?.line ?? 1, text };
  if (!match) return;
  const version = /^(\d+)(?:\.(\d+))?/.exec(match[1] ?? "");
  const [major, minor] = [Number(version?.[1] ?? 1), Number(version?.[2] ?? 0)];
  if (major < known.major || (major === known.major && minor <= known.minor)) return;
  bridge.warn({
    message: `the file asks for Dockerfile syntax ${match[1]}; Kiln knows ${known.major}.${known.minor}, and builds it as that`,
    at: place,
  });
}

/** A failure without a place is that of the frontend as such: it gets the place where the file names it. */
export function placedAtSyntax(
  error: unknown,
  { filename, dockerfile, definition }: BuildFiles,
  line: number | undefined,
): unknown {
  if (line === undefined || !isKilnError(error) || error.at !== undefined) return error;
  const { code, message, cause, hint, others, details } = error;
  const text = new TextDecoder().decode(dockerfile);
  return new KilnError(code, message, {
    cause,
    others,
    details,
    ...(hint === undefined ? {} : { hint }),
    at: { file: filename, line, text, origin: encodeDefinition(definition) },
  });
}
