// --secret: `[type=file|env,]id=ID[,src|source=PATH][,env=NAME]`.
import { cutPair, readCsv, writeCsv } from "../../base/index.ts";
import { invalidValue } from "./values.ts";

/** A secret and where its value is; with neither file nor variable, both are tried under the id's name. */
export interface SecretSpec {
  readonly id: string;
  readonly src?: string;
  readonly env?: string;
}

/** Reads the values of `--secret`. */
export function parseSecrets(values: readonly string[]): readonly SecretSpec[] {
  return values.map(parseSecret);
}

function parseSecret(text: string): SecretSpec {
  const found = new Map<string, string>();
  for (const field of readCsv(text)) {
    const pair = cutPair(field);
    if (!pair)
      throw invalidValue("--secret", text, `${JSON.stringify(field)} is not of the form key=value`);
    const key = pair[0].toLowerCase() === "source" ? "src" : pair[0].toLowerCase();
    if (!["type", "id", "src", "env"].includes(key)) {
      throw invalidValue(
        "--secret",
        text,
        `unexpected key ${JSON.stringify(key)}`,
        "Keys are id, src, env and type.",
      );
    }
    found.set(key, pair[1]);
  }
  const type = found.get("type");
  if (type !== undefined && type !== "file" && type !== "env") {
    throw invalidValue(
      "--secret",
      text,
      `unsupported type ${JSON.stringify(type)}`,
      "Types are file and env.",
    );
  }
  const id = found.get("id") ?? "";
  const src = found.get("src") ?? "";
  const env = found.get("env") ?? "";
  // With type=env, `src` names the variable.
  const named = type === "env" && env === "";
  return { id, ...part("src", named ? "" : src), ...part("env", named ? src : env) };
}

function part(key: "src" | "env", value: string): { src?: string; env?: string } {
  return value === "" ? {} : { [key]: value };
}

/** The text buildx prints for a secret. */
export function secretText(secret: SecretSpec): string {
  const pairs: [string, string | undefined][] = [
    ["id", secret.id],
    ["src", secret.src],
    ["env", secret.env],
  ];
  return writeCsv(
    pairs.filter((pair): pair is [string, string] => pair[1] !== undefined && pair[1] !== ""),
  );
}
