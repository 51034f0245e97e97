// The metadata store alone, among processes, and under kill -9.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Metadata, openMetadata } from "./index.ts";

let directory: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "kiln-metadata-"));
});

afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

const writerProgram = join(import.meta.dirname, "../../../test/kit/metadata-writer.ts");

/** A process that writes on command. */
async function startWriter(name: string): Promise<ChildProcess> {
  const child = fork(writerProgram, [directory, name], {
    execArgv: ["--import", "tsx"],
  });
  children.push(child);
  await once(child, "message");
  return child;
}

describe("a table", () => {
  it("gives back what was put into it, also after having been reopened", async () => {
    {
      await using metadata = await openMetadata(directory);
      const table = metadata.table<{ readonly n: number }>("things");
      metadata.transaction(() => table.put("one", { n: 1 }));
      expect(table.get("one")).toEqual({ n: 1 });
      expect(table.get("two")).toBeUndefined();
    }
    await using again = await openMetadata(directory);
    expect(again.table("things").get("one")).toEqual({ n: 1 });
  });

  it("lists a range in order, and nothing of its neighbours", async () => {
    await using metadata = await openMetadata(directory);
    const table = metadata.table<number>("things");
    const other = metadata.table<number>("thing");
    metadata.transaction(() => {
      for (const [index, key] of ["a/b", "a/a", "a", "b", "a/é", "a/\u{1f600}"].entries()) {
        table.put(key, index);
        other.put(key, -1);
      }
    });
    expect(table.range("a/").map(({ key }) => key)).toEqual(["a/a", "a/b", "a/é", "a/\u{1f600}"]);
    expect(
      table
        .range("")
        .map(({ value }) => value)
        .sort(),
    ).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it("forgets what is deleted", async () => {
    await using metadata = await openMetadata(directory);
    const table = metadata.table<number>("things");
    metadata.transaction(() => table.put("one", 1));
    metadata.transaction(() => {
      table.delete("one");
      table.delete("never there");
      expect(table.get("one")).toBeUndefined();
    });
    expect(table.get("one")).toBeUndefined();
  });

  it("holds long values and refuses long keys", async () => {
    await using metadata = await openMetadata(directory);
    const table = metadata.table<string>("things");
    const long = "x".repeat(1 << 20);
    metadata.transaction(() => table.put("long", long));
    expect(table.get("long")).toBe(long);
    const key = "é".repeat(1000);
    expect(() => metadata.transaction(() => table.put(key, ""))).toThrow("1900 bytes");
    expect(table.get(key)).toBeUndefined();
  });

  it("keeps what its codec makes of values", async () => {
    await using metadata = await openMetadata(directory);
    const dates = metadata.table<Date>("dates", {
      encode: (date) => date.toISOString(),
      decode: (text) => new Date(text),
    });
    metadata.transaction(() => dates.put("epoch", new Date(0)));
    expect(dates.get("epoch")).toEqual(new Date(0));
  });
});

describe("a transaction", () => {
  it("that throws writes nothing", async () => {
    await using metadata = await openMetadata(directory);
    const table = metadata.table<number>("things");
    const failing = () =>
      metadata.transaction(() => {
        table.put("one", 1);
        throw new Error("changed my mind");
      });
    expect(failing).toThrow("changed my mind");
    expect(table.get("one")).toBeUndefined();
    metadata.transaction(() => table.put("two", 2));
    expect(table.get("two")).toBe(2);
  });

  it("inside another is part of it", async () => {
    await using metadata = await openMetadata(directory);
    const table = metadata.table<number>("things");
    expect(
      metadata.transaction(() =>
        metadata.transaction(() => {
          table.put("one", 1);
          return "inner";
        }),
      ),
    ).toBe("inner");
    expect(table.get("one")).toBe(1);
  });

  it("is the only place to write in", async () => {
    await using metadata = await openMetadata(directory);
    expect(() => metadata.table<number>("things").put("one", 1)).toThrow("transaction");
  });
});

describe("several processes", () => {
  it("add to the same store without losing anything", async () => {
    const writers = await Promise.all(["a", "b", "c"].map(startWriter));
    await Promise.all(
      writers.map((writer) => {
        writer.send({ count: 200 });
        return once(writer, "message");
      }),
    );
    await using metadata = await openMetadata(directory);
    expect(metadata.table("writes").range("")).toHaveLength(600);
    expect(metadata.table("total").get("sum")).toBe(600);
  });

  it("see what others have committed", async () => {
    await using metadata: Metadata = await openMetadata(directory);
    expect(metadata.table("writes").range("")).toHaveLength(0);
    const writer = await startWriter("a");
    writer.send({ count: 3 });
    await once(writer, "message");
    expect(metadata.table("writes").range("")).toHaveLength(3);
  });

  it("are seen within one turn of the event loop by who asks for it", async () => {
    await using metadata: Metadata = await openMetadata(directory);
    const writer = await startWriter("a");
    writer.send({ count: 3 });
    const seen = () => metadata.table("writes").range("").length;
    const pause = new Int32Array(new SharedArrayBuffer(4));
    for (let tries = 0; tries < 1000 && seen() < 3; tries++) {
      Atomics.wait(pause, 0, 0, 10);
      metadata.refresh();
    }
    expect(seen()).toBe(3);
  });

  it("killed in the middle of writing leave whole transactions and no lock behind", async () => {
    await using metadata: Metadata = await openMetadata(directory);
    const acknowledged = new Map<string, number>();
    for (let attempt = 0; attempt < 5; attempt++) {
      const name = `w${attempt}`;
      const writer = await startWriter(name);
      writer.on("message", (message: { readonly written: number }) =>
        acknowledged.set(name, message.written),
      );
      writer.send({ count: Number.MAX_SAFE_INTEGER, report: true });
      await once(writer, "message");
      await new Promise((resolve) => setTimeout(resolve, 5 + attempt * 7));
      writer.kill("SIGKILL");
      await once(writer, "exit");
      const written = metadata.table("writes").range(`${name} `).length;
      expect(written).toBeGreaterThanOrEqual(acknowledged.get(name) ?? 0);
    }
    // Both halves of every transaction are there, and writing goes on.
    const total = metadata.table<number>("total");
    expect(total.get("sum")).toBe(metadata.table("writes").range("").length);
    metadata.transaction(() => total.put("after", 1));
    expect(total.get("after")).toBe(1);
  });
});
