// History lines and layers of an image are brought into step as the reference brings them.
import { expect, test } from "vitest";
import { digestOf } from "../../../base/index.ts";
import type { HistoryEntry } from "../../../formats/oci/index.ts";
import type { LayerBlob } from "../../../storage/snapshot/index.ts";
import { alignHistory, emptyTar, layerTitles } from "./history.ts";

const created = "1980-01-01T00:00:00Z";
const base = "2020-01-01T00:00:00Z";

function layer(name: string): LayerBlob {
  const diffId = name === "empty" ? emptyTar : digestOf(name);
  return { descriptor: { mediaType: "l", digest: digestOf(`${name} gz`), size: 1 }, diffId };
}

/** Lines as `name@time`, those without a layer in brackets; layers by name. */
function check(
  name: string,
  history: readonly HistoryEntry[],
  layers: readonly string[],
  expected: { readonly lines: readonly string[]; readonly layers: readonly string[] },
): void {
  test(name, () => {
    const aligned = alignHistory(history, layers.map(layer), created);
    const lines = aligned.history.map((line) => {
      const text = `${line.created_by} ${line.created?.slice(0, 4)}`;
      return line.empty_layer ? `(${text})` : text;
    });
    const diffIds = expected.layers.map((one) => layer(one).diffId);
    expect({ lines, layers: aligned.layers.map((one) => one.diffId) }).toEqual({
      lines: expected.lines,
      layers: diffIds,
    });
  });
}

const run: HistoryEntry = { created_by: "RUN" };
const env: HistoryEntry = { created_by: "ENV", empty_layer: true };
const from: HistoryEntry = { created_by: "FROM", created: base };

check(
  "the base image's lines keep their times, new ones get the build's",
  [from, env, run],
  ["b", "r"],
  {
    lines: ["FROM 2020", "(ENV 1980)", "RUN 1980"],
    layers: ["b", "r"],
  },
);
check(
  "a layer that holds nothing is dropped and its line marked",
  [run, run, run],
  ["a", "empty", "c"],
  {
    lines: ["RUN 1980", "(RUN 1980)", "RUN 1980"],
    layers: ["a", "c"],
  },
);
check("lines without a layer become empty ones", [run, run], ["a"], {
  lines: ["RUN 1980", "(RUN 1980)"],
  layers: ["a"],
});
check("layers without a line get one", [env], ["a", "b"], {
  lines: ["(ENV 1980)", "created by kiln 1980", "created by kiln 1980"],
  layers: ["a", "b"],
});
check("nothing stays nothing", [], [], { lines: [], layers: [] });

test("the empty tar is two zero blocks", () => {
  expect(digestOf(new Uint8Array(1024))).toBe(emptyTar);
});

test("layers are called by what made them", () => {
  const history = [
    { created_by: "COPY rootfs / # buildkit" },
    { created_by: "ENV A=1", empty_layer: true },
    { created_by: "RUN /bin/sh -c make # buildkit" },
    { created_by: "RUN |2 A=1 B=2 /bin/sh -c make check # buildkit" },
    {},
  ];
  expect(layerTitles(history, "linux/arm64")).toEqual([
    "linux/arm64 COPY rootfs /",
    "linux/arm64 RUN make",
    "linux/arm64 RUN make check",
    "linux/arm64 layer 4",
  ]);
});
