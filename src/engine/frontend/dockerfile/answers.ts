// Sub-requests: answers about a Dockerfile instead of a build (BuildKit's frontend/subrequests).
import { Buffer } from "node:buffer";
import type { Attrs } from "../../../api/index.ts";
import { closest, goJson, KilnError } from "../../../base/index.ts";
import {
  type ConvertIo,
  type ConvertOptions,
  describeJson,
  describeText,
  dumpDockerfile,
  lintDockerfile,
  listTargets,
  outlineDockerfile,
  outlineText,
  requestDescriptions,
  targetsText,
} from "../../../formats/dockerfile/index.ts";

interface Answer {
  readonly json: unknown;
  readonly text?: string;
  /** The exit code that whoever asks is to end with. */
  readonly status?: 0 | 1;
}

type Answerer = (data: Uint8Array, options: ConvertOptions, io: ConvertIo) => Promise<Answer>;

const answerers: Readonly<Record<string, Answerer>> = {
  "frontend.lint": async (data, options, io) => {
    const { result, text, failed } = await lintDockerfile(data, options, io);
    return { json: result, text, status: failed || (result.warnings?.length ?? 0) > 0 ? 1 : 0 };
  },
  "frontend.outline": async (data, options, io) => {
    const outline = await outlineDockerfile(data, options, io);
    return { json: { ...outline, sources: [base64(data)] }, text: outlineText(outline) };
  },
  "frontend.targets": async (data, options) => {
    const list = listTargets(data, options.filename);
    return { json: { ...list, sources: [base64(data)] }, text: targetsText(list) };
  },
  "frontend.convertllb": async (data, options, io) => ({
    json: await dumpDockerfile(data, options, io),
  }),
  "frontend.subrequests.describe": async () => ({
    json: describeJson(),
    text: describeText(),
  }),
};

/** The file that places are in, as Go writes bytes in JSON. */
function base64(data: Uint8Array): string {
  return Buffer.from(data).toString("base64");
}

/** Response keys `result.json`, `result.txt`, the answer's `version` and, for checks, `result.statuscode`: 1 where they found something. */
export async function answer(
  question: string,
  data: Uint8Array,
  options: ConvertOptions,
  io: ConvertIo,
): Promise<Attrs> {
  const { json, text, status } = await findAnswerer(question)(data, options, io);
  const version = requestDescriptions.find(({ name }) => name === question)?.version;
  return {
    "result.json": goJson(json, 2),
    ...(text === undefined ? {} : { "result.txt": text }),
    ...(status === undefined ? {} : { "result.statuscode": String(status) }),
    ...(version === undefined ? {} : { version }),
  };
}

function findAnswerer(question: string): Answerer {
  const found = Object.hasOwn(answerers, question) ? answerers[question] : undefined;
  if (found) return found;
  const near = closest(question, Object.keys(answerers));
  throw new KilnError("UNSUPPORTED", `unsupported request ${question.slice(0, 200)}`, {
    details: { request: question.slice(0, 200) },
    hint: near ? `Did you mean ${near}?` : `Known requests: ${Object.keys(answerers).join(", ")}.`,
  });
}
