// The two builders that are compared: Kiln, and docker's embedded BuildKit where one is given.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { World } from "../world.ts";
import type { ReferenceCase } from "./case.ts";
import { type BuiltImage, diffIdsOf, readImage } from "./read-image.ts";

/** What came of a build; `fails` says that there is no image. */
export type Answer = BuiltImage | { readonly fails: true; readonly why?: string };

/** A dockerd with BuildKit and buildx to ask; answers that were recorded stand in where none is given. */
export const referenceHost: string | undefined = process.env["KILN_REFERENCE_DOCKER_HOST"];

/** A directory that live answers are written to. */
const recordInto = process.env["KILN_REFERENCE_RECORD"];

const recorded = join(import.meta.dirname, "answers");

export interface Builders {
  /** Files of the base image, named `busybox`, are not told. */
  kiln(one: ReferenceCase, context: string): Promise<Answer>;
  reference(one: ReferenceCase, context: string): Promise<Answer>;
  /** Builds and pushes what the case's `before` is. */
  prepare(one: ReferenceCase): Promise<void>;
}

export async function openBuilders(world: World): Promise<Builders> {
  const base = join(world.directory, "base.tar");
  const busybox = `docker-image://${world.registry.address}/library/busybox`;
  const empty = world.context({ Dockerfile: "FROM busybox\n" });
  const contexts = [`--build-context=busybox=${busybox}`];
  const made = await world.kiln(["build", ...contexts, "-o", `type=oci,dest=${base}`, empty]);
  if (made.status !== 0) throw new Error(made.stderr);
  const layers = new Set(await diffIdsOf(base));
  const argumentsOf = (one: ReferenceCase) => [
    ...contexts,
    ...(one.before === undefined
      ? []
      : [`--build-context=before=docker-image://${world.registry.address}/${one.name}`]),
    ...(one.flags ?? []),
  ];
  const environment = { SECRET_OF_TEST: "hidden" };
  return {
    async prepare(one) {
      if (one.before === undefined) return;
      const directory = world.context({ Dockerfile: one.before });
      const name = `${world.registry.address}/${one.name}`;
      const built = await world.kiln(["build", ...contexts, "-t", name, "--push", directory]);
      if (built.status !== 0) throw new Error(built.stderr);
    },
    async kiln(one, context) {
      const dest = join(world.directory, `${one.name}.kiln.tar`);
      const output = `type=oci,dest=${dest},rewrite-timestamp=false`;
      const built = await world.kiln(["build", ...argumentsOf(one), "-o", output, context], {
        env: environment,
      });
      if (built.status !== 0) return { fails: true, why: built.stderr };
      return await readImage(dest, layers);
    },
    async reference(one, context) {
      if (referenceHost === undefined) return recordedAnswer(one.name);
      const dest = join(world.directory, `${one.name}.reference.tar`);
      const args = ["buildx", "build", "--network=host", "--provenance=false", "--progress=plain"];
      const built = await run(
        "docker",
        [...args, ...argumentsOf(one), `--output=type=oci,dest=${dest}`, context],
        {
          ...process.env,
          ...environment,
          DOCKER_HOST: referenceHost,
        },
      );
      const answer: Answer =
        built.status === 0 ? await readImage(dest, layers) : { fails: true, why: built.stderr };
      if (recordInto) record(recordInto, one.name, answer);
      return answer;
    },
  };
}

/** Both answers in the form that is compared. */
export function comparable(kiln: Answer, reference: Answer, one: ReferenceCase): unknown[] {
  const touched = new Set<string>();
  if (!("fails" in reference))
    for (const line of [...reference.files, ...reference.layers.flat()]) {
      const directory = touchedDirectory.exec(line);
      if (directory?.[1]) touched.add(directory[1]);
    }
  return [kiln, reference].map((answer) => {
    if ("fails" in answer) return { fails: true };
    const lines = (list: readonly string[]) => alike(list, touched, one);
    const { config, history, layers, files } = answer;
    return {
      config: JSON.parse(one.differs?.(JSON.stringify(config)) ?? JSON.stringify(config)),
      history: lines(history),
      layers: layers.map(lines),
      files: lines(files),
    };
  });
}

const touchedDirectory = /^(\S+|".*") directory \S+ \S+ now/;

/**
 * The time of a directory that the build made or wrote to does not count: the reference's runtime makes files to mount
 * over, and leaves it as it is then.
 */
function alike(
  list: readonly string[],
  touched: ReadonlySet<string>,
  one: ReferenceCase,
): string[] {
  return list
    .map((line) => {
      const directory = /^(\S+|".*") directory \S+ \S+/.exec(line);
      const told = directory?.[1] && touched.has(directory[1]) ? directory[0] : line;
      return one.differs?.(told) ?? told;
    })
    .filter((line) => line !== "");
}

function recordedAnswer(name: string): Answer {
  const path = join(recorded, `${name}.json`);
  if (!existsSync(path))
    throw new Error(
      `no answer is recorded for ${name}: ask a dockerd (KILN_REFERENCE_DOCKER_HOST)`,
    );
  return JSON.parse(readFileSync(path, "utf8")) as Answer;
}

function record(directory: string, name: string, answer: Answer): void {
  mkdirSync(directory, { recursive: true });
  const value = "fails" in answer ? { fails: true } : answer;
  writeFileSync(join(directory, `${name}.json`), `${JSON.stringify(value, undefined, 1)}\n`);
}

function run(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<{ status: number | null; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, stdio: ["ignore", "ignore", "pipe"] });
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.once("error", reject);
    child.once("close", (status) => resolve({ status, stderr }));
  });
}
