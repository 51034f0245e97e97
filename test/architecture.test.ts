// Holds the house together: rooms, floors, doors, and which rooms may touch the machine.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { floors, rooms } from "../src/architecture.ts";

const src = resolve(import.meta.dirname, "../src");

interface SourceFile {
  readonly path: string;
  readonly room: string | undefined;
  readonly text: string;
  readonly imports: readonly string[];
}

const files: readonly SourceFile[] = listFiles(src).map((absolute) => {
  const path = relative(src, absolute);
  const text = readFileSync(absolute, "utf8");
  return { path, room: roomOf(path), text, imports: importsOf(text) };
});
const product = files.filter(
  (file) => !file.path.endsWith(".test.ts") && file.room !== "formats/proto",
);

/** Doors of the whole house: they belong to no room and hold no logic. */
const frontDoors = new Set(["architecture.ts", "index.ts"]);

describe("the room table", () => {
  it("has a row for every folder and a folder or file for every row", () => {
    const homeless = files
      .filter((file) => !file.room && !frontDoors.has(file.path))
      .map((f) => f.path);
    expect(homeless).toEqual([]);
    expect(Object.keys(rooms).filter((room) => !existsSync(join(src, room)))).toEqual([]);
  });

  it("names only rooms that exist, on the same floor or below", () => {
    const wrong = Object.entries(rooms).flatMap(([room, row]) =>
      row.filter(
        (other) =>
          matching(other).length === 0 || matching(other).some((r) => floorOf(r) > floorOf(room)),
      ),
    );
    expect(wrong).toEqual([]);
  });

  it("has no cycle", () => {
    expect(findCycle()).toBeUndefined();
  });
});

describe("imports", () => {
  it("stay inside the row of their room", () => {
    const problems = product.flatMap((file) =>
      imported(file)
        .filter(({ room }) => file.room && room && room !== file.room && !allows(file.room, room))
        .map(
          ({ path }) =>
            `${file.path} imports ${path}: ${file.room} may import only [${rooms[file.room ?? ""]}]`,
        ),
    );
    expect(problems).toEqual([]);
  });

  it("enter another room by its index.ts", () => {
    const problems = product.flatMap((file) =>
      imported(file)
        .filter(({ room, path }) => room !== file.room && room !== undefined && path !== door(room))
        .map(({ path }) => `${file.path} imports ${path}`),
    );
    expect(problems).toEqual([]);
  });
});

describe("base", () => {
  it("holds only what two rooms use", () => {
    const used = (name: string) =>
      new Set(
        product
          .filter((f) => f.room !== "base" && new RegExp(`\\b${name}\\b`).test(f.text))
          .map((f) => f.room),
      );
    const lonely = product
      .filter((file) => file.room === "base" && !file.path.endsWith("index.ts"))
      .filter((file) => new Set(exportsOf(file.text).flatMap((name) => [...used(name)])).size < 2)
      .map((file) => file.path);
    expect(lonely).toEqual([]);
  });
});

/** Which rooms may touch what of the machine; everything else must be handed what it needs. */
const privileges: readonly { what: string; pattern: RegExp; rooms: readonly RegExp[] }[] = [
  {
    what: "child processes",
    pattern: /"node:child_process"/,
    rooms: [
      /^engine\/(doctor|executor|isolation|source|ops\/file\/decompress)/,
      // What --fix does is commands.
      /^cli\/commands\/machine\/doctor-fix/,
      /^storage\/snapshot/,
      /^cli\/config/,
      // A profile of AWS may name a program that tells its keys; Azure's own tool tells tokens.
      /^storage\/(aws\/credential-program|azure\/command)/,
      // Asks git about the context, with none of the repository's own programs.
      /^cli\/commands\/build\/git-facts/,
      // Drivers reach nodes through ssh, kubectl and container tools; flock(1) takes the lock of builders.
      /^remote\/(docker\/program-stream|driver\/kubectl|store\/lock)/,
      // Tells systemd that the daemon is ready.
      /^remote\/daemon\/systemd/,
    ],
  },
  {
    what: "the network",
    pattern: /"node:(https?|http2|net|tls|dns)"/,
    rooms: [
      /^storage\/(registry|http)/,
      /^engine\/(source|executor|proxy)/,
      /^cli\/commands\/build\/ssh-agents/,
      // The socket on which docker says that its user has given up.
      /^cli\/commands\/plugin\/plugin-mode/,
      // A page for the browser of this machine, until Ctrl-C.
      /^cli\/commands\/history\/trace/,
      /^remote\/grpc/,
      /^remote\/daemon\/(debug-server|listen)/,
      /^remote\/docker\/(engine-api|transport)/,
      /^remote\/driver\/(embedded|remote-address)/,
    ],
  },
  {
    what: "the environment",
    pattern: /process\.env\b/,
    rooms: [
      /^cli/,
      /^base\/log/,
      /^storage\/(registry|http|aws|azure)/,
      // Where GitHub's API is.
      /^engine\/cache\/remote\/gha-backend/,
      /^engine\/(executor|isolation|source\/git|ops\/file\/decompress)/,
    ],
  },
  { what: "the console", pattern: /\bconsole\./, rooms: [/^cli/] },
];

describe("privileges", () => {
  it.each(privileges)("$what are used only where allowed", ({ pattern, rooms: allowed }) => {
    const used = product.filter(
      (file) => pattern.test(file.text) && !allowed.some((r) => r.test(file.path)),
    );
    expect(used.map((file) => file.path)).toEqual([]);
  });

  it("formats and api do no I/O", () => {
    const pure = new Set([
      "node:crypto",
      "node:zlib",
      "node:path",
      "node:buffer",
      "node:util",
      // Transforms of bytes in memory.
      "node:stream",
      "node:stream/promises",
    ]);
    const impure = product
      .filter((file) => /^(formats|api)\//.test(file.path))
      // More processors for the same bytes: what zlib's own thread pool is to its functions. They are handed memory only.
      .filter((file) => !/^formats\/archive\/deflate-threads?\.ts$/.test(file.path))
      .flatMap((file) =>
        file.imports
          .filter((i) => i.startsWith("node:") && !pure.has(i))
          // Loads koffi, by which a library packs and unpacks bytes in memory.
          .filter((i) => i !== "node:module" || file.path !== "formats/archive/zstd-library.ts")
          .map((i) => `${file.path}: ${i}`),
      );
    expect(impure).toEqual([]);
  });
});

it("every source file begins with what it is", () => {
  const silent = product
    .filter((file) => !/^(#!.*\n)?\/\/ \S/.test(file.text))
    .map((file) => file.path);
  expect(silent).toEqual([]);
});

it("no name says nothing", () => {
  // "credential helper" is docker's term for one thing.
  const empty = /(^|[/-])(utils?|helpers?|common|misc|shared|manager)([/.-]|$)/;
  expect(
    files
      .filter((file) => empty.test(file.path.replace("credential-helper", "")))
      .map((file) => file.path),
  ).toEqual([]);
});

it("reports the longest files", () => {
  const longest = product
    .map((file) => ({ path: file.path, lines: file.text.split("\n").length }))
    .sort((a, b) => b.lines - a.lines)
    .slice(0, 10);
  console.log(`longest files: ${longest.map(({ path, lines }) => `${path} ${lines}`).join(", ")}`);
  expect(longest.length).toBeGreaterThan(0);
});

function listFiles(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return listFiles(path);
    return path.endsWith(".ts") ? [path] : [];
  });
}

function roomOf(path: string): string | undefined {
  // The most specific row wins: `engine/engine.ts` is a room of one file.
  return Object.keys(rooms)
    .filter((room) => path === room || path.startsWith(`${room}/`))
    .sort((a, b) => b.length - a.length)[0];
}

function importsOf(text: string): string[] {
  const statements =
    /(?:^|\n)\s*(?:import|export)\s[^"';]*?from\s+"([^"]+)"|(?:^|\n)\s*import\s+"([^"]+)"|\bimport\("([^"]+)"\)/g;
  return [...text.matchAll(statements)].map((m) => m[1] ?? m[2] ?? m[3] ?? "");
}

function exportsOf(text: string): string[] {
  const declarations =
    /^export (?:declare )?(?:abstract )?(?:async )?(?:function\*?|class|const|interface|type) (\w+)/gm;
  return [...text.matchAll(declarations)].map((m) => m[1] ?? "");
}

function imported(file: SourceFile): { path: string; room: string | undefined }[] {
  return file.imports
    .filter((specifier) => specifier.startsWith("."))
    .map((specifier) => relative(src, resolve(src, dirname(file.path), specifier)))
    .map((path) => ({ path, room: roomOf(path) }));
}

function door(room: string): string {
  return statSync(join(src, room)).isDirectory() ? `${room}/index.ts` : room;
}

function matching(pattern: string): string[] {
  const prefix = pattern.endsWith("/*") ? pattern.slice(0, -1) : undefined;
  return Object.keys(rooms).filter((room) => (prefix ? room.startsWith(prefix) : room === pattern));
}

function allows(from: string, to: string): boolean {
  return (rooms[from] ?? []).some((pattern) => matching(pattern).includes(to));
}

function floorOf(room: string): number {
  return floors.indexOf((room.split("/")[0] ?? "") as (typeof floors)[number]);
}

function findCycle(): string | undefined {
  const done = new Set<string>();
  const visit = (room: string, path: readonly string[]): string | undefined => {
    if (path.includes(room)) return [...path, room].join(" -> ");
    if (done.has(room)) return undefined;
    for (const pattern of rooms[room] ?? []) {
      for (const next of matching(pattern)) {
        const cycle = next === room ? undefined : visit(next, [...path, room]);
        if (cycle) return cycle;
      }
    }
    done.add(room);
    return undefined;
  };
  for (const room of Object.keys(rooms)) {
    const cycle = visit(room, []);
    if (cycle) return cycle;
  }
  return undefined;
}
