// What is wanted of attestations, by frontend attributes: `attest:provenance`, `attest:sbom` and their options (D-60, D-61).
import type { Attrs } from "../../api/index.ts";
import { cutPair, KilnError, parseBool, readCsv } from "../../base/index.ts";

const attestPrefix = "attest:";
const argPrefix = "build-arg:BUILDKIT_ATTEST_";

/** What an attestation is made with when its options do not say: the reference's own defaults. */
const defaults: Readonly<Record<string, Attrs>> = {
  provenance: { version: "v1" },
  sbom: { generator: "docker/buildkit-syft-scanner:stable-1" },
};

/** Attestations named by frontend attributes (`attest:TYPE`, `build-arg:BUILDKIT_ATTEST_TYPE`), by lower-case type. */
export function parseAttestAttrs(attrs: Attrs): Record<string, Record<string, string>> {
  const out: Record<string, Record<string, string>> = {};
  for (const [key, value] of Object.entries(attrs)) {
    const prefix = [attestPrefix, argPrefix].find((candidate) => key.startsWith(candidate));
    if (prefix === undefined) continue;
    const type = key.slice(prefix.length).toLowerCase();
    const options = readCsv(value).map((field) => cutPair(field) ?? [field, ""]);
    out[type] = { ...defaults[type], ...Object.fromEntries(options) };
  }
  return out;
}

/** How much provenance tells: `max` also has the definition, the Dockerfile, build arguments and layers. */
export type ProvenanceMode = "min" | "max";

export interface ProvenanceOptions {
  readonly version: "v1" | "v0.2";
  readonly mode: ProvenanceMode;
  readonly builderId: string;
  /** Said by the user, not proven. */
  readonly reproducible: boolean;
  /** Only beside images, not in exported directories. */
  readonly inlineOnly: boolean;
  /** Fail where not everything that went in can be named. */
  readonly completeMaterials: boolean;
  /** Name in exported directories. */
  readonly filename: string;
}

export interface SbomOptions {
  /** The scanner image; undefined is Kiln's own scanner. */
  readonly generator: string | undefined;
  /** For the scanner, as `BUILDKIT_SCAN_NAME`. */
  readonly parameters: Attrs;
}

export interface AttestOptions {
  readonly provenance?: ProvenanceOptions;
  readonly sbom?: SbomOptions;
}

/** Generators that mean Kiln's own scanner. */
const builtIn = new Set(["", "builtin", "kiln"]);

/** Throws `FLAG_INVALID` for types, options and values that do not exist. */
export function parseAttestOptions(attrs: Attrs): AttestOptions {
  const wanted = parseAttestAttrs(attrs);
  const unknown = Object.keys(wanted).find((type) => type !== "provenance" && type !== "sbom");
  if (unknown !== undefined) {
    throw new KilnError("FLAG_INVALID", `unknown attestation type ${JSON.stringify(unknown)}`, {
      hint: "Types are provenance and sbom.",
    });
  }
  const { provenance, sbom } = wanted;
  return {
    ...(provenance ? { provenance: parseProvenanceOptions(provenance) } : {}),
    ...(sbom ? { sbom: parseSbom(sbom, attrs) } : {}),
  };
}

const knownOptions = new Set([
  "builder-id",
  "capture-usage",
  "complete-materials",
  "filename",
  "inline-only",
  "mode",
  "reproducible",
  "type",
  "version",
]);

/** Everything there is to tell. */
export const fullProvenance: ProvenanceOptions = parseProvenanceOptions({});

function parseProvenanceOptions(options: Attrs): ProvenanceOptions {
  const strange = Object.keys(options).find((name) => !knownOptions.has(name));
  if (strange !== undefined) throw bad(strange, options[strange], "there is no such option");
  const { version = "v1", mode = "max" } = options;
  if (version !== "v1" && version !== "v0.2")
    throw bad("version", version, "invalid provenance SLSA version: expected v1 or v0.2");
  if (flag(options, "capture-usage"))
    throw bad("capture-usage", options["capture-usage"], "what steps use is not measured");
  if (!["min", "max", "full"].includes(mode)) throw bad("mode", mode, "expected min or max");
  return {
    version,
    mode: mode === "min" ? "min" : "max",
    builderId: options["builder-id"] ?? "",
    reproducible: flag(options, "reproducible"),
    inlineOnly: flag(options, "inline-only"),
    completeMaterials: flag(options, "complete-materials"),
    filename: options["filename"] || "provenance.json",
  };
}

function parseSbom({ generator = "", type: _, ...parameters }: Attrs, attrs: Attrs): SbomOptions {
  // The reference's standard scanner is asked for only by those who name it.
  const named = `${attrs["attest:sbom"] ?? ""},${attrs[`${argPrefix}SBOM`] ?? ""}`;
  const standard = generator === defaults["sbom"]?.["generator"] && !named.includes("generator=");
  return {
    generator: standard || builtIn.has(generator) ? undefined : generator,
    parameters,
  };
}

function flag(options: Attrs, name: string): boolean {
  const value = options[name];
  if (value === undefined) return false;
  const parsed = parseBool(value === "" ? "true" : value);
  if (parsed === undefined) throw bad(name, value, "expected true or false");
  return parsed;
}

function bad(name: string, value: string | undefined, why: string): KilnError {
  return new KilnError("FLAG_INVALID", `attestation option ${name}=${value ?? ""}: ${why}`);
}
