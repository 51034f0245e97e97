// What a frontend says about its results beside them: read out of files that it solved, as exporters take it.
import type { AttestationSubject, FrontendAttestation } from "../../api/index.ts";
import { type Call, isRecord, KilnError, runAll } from "../../base/index.ts";
import type { Definition } from "../../formats/llb/index.ts";
import type { ResultAttestation } from "../exporter/index.ts";
import { type FileView, type OpResult, readView, resolveInView, withView } from "../ops/index.ts";

/** Bytes of one predicate or statement, and files of one bundle. */
const maxSize = 40 * 1024 * 1024;
const maxStatements = 1024;

const provenance = "https://slsa.dev/provenance/";

/**
 * One attestation for every predicate; bundles are taken apart. What a scanner found about the result itself comes first
 * (`sbom-core`). Throws `REQUEST_INVALID` for what makes no sense.
 */
export async function readAttestations(
  attestations: readonly FrontendAttestation[],
  solve: (definition: Definition, call: Call) => Promise<OpResult>,
  call: Call,
): Promise<readonly ResultAttestation[]> {
  for (const one of attestations) check(one);
  const found = await runAll(
    attestations,
    async (one, c) => {
      const files = one.definition && (await solve(one.definition, c));
      return await withView(files, c, (view) =>
        one.kind === "bundle" ? readBundle(one, view) : [readPredicate(one, view)],
      );
    },
    call,
  );
  const all = found.flat();
  return [...all.filter(({ core }) => core), ...all.filter(({ core }) => !core)].map(
    ({ attestation }) => attestation,
  );
}

interface Read {
  readonly core: boolean;
  readonly attestation: ResultAttestation;
}

function check({ kind, path, predicateType }: FrontendAttestation): void {
  if (kind === "bundle") return;
  if (path === "") throw invalid("attestation does not have set path");
  if (predicateType.startsWith(provenance))
    throw invalid("frontend may not set provenance attestations");
}

function readPredicate(from: FrontendAttestation, view: FileView): Read {
  const text = readText(view, from.path, "cannot read in-toto attestation");
  // Nothing at all is the empty predicate.
  const predicate = text === "" ? null : parse(text, from.path);
  return attestationOf(from, from.path, from.predicateType, from.subjects, predicate);
}

/** Every file of the directory is a statement. */
function readBundle(from: FrontendAttestation, view: FileView): readonly Read[] {
  const directory = resolveInView(view, from.path === "" ? "/" : from.path, true);
  if (view.lstat(directory)?.type !== "directory")
    throw invalid(`open ${from.path}: no such directory of an attestation bundle`);
  const names = [...view.readdir(directory)].sort();
  if (names.length > maxStatements)
    throw invalid(`an attestation bundle has more than ${maxStatements} statements`);
  return names.map((name) => {
    const path = `${from.path.replace(/\/+$/, "")}/${name}`;
    const statement = parse(readText(view, path, "cannot decode in-toto statement"), path);
    const predicateType = isRecord(statement) ? statement["predicateType"] : undefined;
    if (!isRecord(statement) || typeof predicateType !== "string")
      throw invalid(`cannot decode in-toto statement ${path}: it has no predicateType`);
    if (from.predicateType !== "" && predicateType !== from.predicateType)
      throw invalid(
        `bundle entry ${predicateType} does not match required predicate type ${from.predicateType}`,
      );
    if (predicateType.startsWith(provenance))
      throw invalid("frontend may not bundle provenance attestations");
    const subjects = subjectsOf(statement["subject"], path);
    return attestationOf(from, path, predicateType, subjects, sorted(statement["predicate"]));
  });
}

function attestationOf(
  { metadata }: FrontendAttestation,
  path: string,
  predicateType: string,
  subjects: readonly AttestationSubject[],
  predicate: unknown,
): Read {
  const filename = path.split("/").at(-1) ?? path;
  const core = metadata["sbom-core"];
  return {
    core: core !== undefined && filename.split(".")[0] === core,
    attestation: {
      predicateType,
      filename,
      inlineOnly: metadata["inline-only"] === "true",
      subjects,
      predicate: async () => predicate ?? null,
    },
  };
}

function subjectsOf(value: unknown, path: string): readonly AttestationSubject[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value))
    throw invalid(`cannot decode in-toto statement ${path}: subject is no list`);
  return value.map((one): AttestationSubject => {
    const name = isRecord(one) ? one["name"] : undefined;
    const digest = isRecord(one) ? one["digest"] : undefined;
    const digests = Object.entries(isRecord(digest) ? digest : {}).map(([algorithm, hex]) => {
      return `${algorithm}:${String(hex)}`;
    });
    return { kind: "raw", name: typeof name === "string" ? name : "", digests };
  });
}

function readText(view: FileView, path: string, doing: string): string {
  const resolved = resolveInView(view, path, true);
  const stat = view.lstat(resolved);
  if (!stat) throw invalid(`${doing}: open ${path}: no such file or directory`);
  if (stat.type !== "file") throw invalid(`${doing}: ${path} is no file`);
  if (stat.size > maxSize) throw invalid(`${doing}: ${path} has ${stat.size} bytes`);
  return new TextDecoder().decode(readView(view, resolved));
}

function parse(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw invalid(`attestation ${path} is not a single JSON document`, cause);
  }
}

/** Members by name, at every depth: as the reference writes what it has taken out of a statement. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isRecord(value)) return value;
  const names = Object.keys(value).sort();
  return Object.fromEntries(names.map((name) => [name, sorted(value[name])]));
}

function invalid(message: string, cause?: unknown): KilnError {
  return new KilnError("REQUEST_INVALID", message, cause === undefined ? {} : { cause });
}
