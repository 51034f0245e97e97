// What benches build: the same directories on every machine and in every run, made once each.
import { createCipheriv } from "node:crypto";
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  renameSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";

/** Bytes of which half are noise and half are words, in turns: packing them is neither hopeless nor trivial. */
function mixture(): (size: number) => Uint8Array {
  const cipher = createCipheriv("aes-128-ctr", new Uint8Array(16), new Uint8Array(16));
  const zeros = new Uint8Array(pieceSize / 2);
  let seed = 1;
  const next = (limit: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return seed % limit;
  };
  const words = Array.from({ length: 4000 }, () =>
    cipher.update(new Uint8Array(next(8) + 2)).toString("base64"),
  );
  const text = new TextEncoder().encode(
    Array.from({ length: 200_000 }, () => words[next(words.length)]).join(" "),
  );
  return (size) => {
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size; at += pieceSize) {
      const piece = Math.min(pieceSize, size - at);
      const noise = piece >> 1;
      bytes.set(cipher.update(zeros.subarray(0, noise)), at);
      const from = next(text.length - pieceSize);
      bytes.set(text.subarray(from, from + piece - noise), at + noise);
    }
    return bytes;
  };
}

const pieceSize = 32 << 10;
const chunkSize = 8 << 20;

export function writeFiles(directory: string, files: Readonly<Record<string, string>>): void {
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, file)), { recursive: true });
    writeFileSync(join(directory, file), text);
  }
}

/** `count` files of `smallest` to `largest` bytes, a hundred in a directory: f0, f1 ... in d0, d1 ... */
export function writeTree(
  directory: string,
  count: number,
  smallest: number,
  largest: number,
): void {
  const mixed = mixture();
  for (let file = 0; file < count; file++) {
    const folder = join(directory, `d${Math.floor(file / 100)}`);
    if (file % 100 === 0) mkdirSync(folder, { recursive: true });
    // The stride is prime: sizes of neighbours differ, and all occur.
    const size = smallest + ((file * 7919) % (largest - smallest + 1));
    writeFileSync(join(folder, `f${file}`), mixed(size));
  }
}

/** One file of that many bytes. */
export function writeLarge(file: string, size: number): void {
  const mixed = mixture();
  mkdirSync(dirname(file), { recursive: true });
  const to = openSync(`${file}.new`, "w");
  for (let at = 0; at < size; at += chunkSize) writeSync(to, mixed(Math.min(chunkSize, size - at)));
  ftruncateSync(to, size);
  closeSync(to);
  renameSync(`${file}.new`, file);
}

/** Seven steps over a few files. */
export function writeSmall(directory: string, base: string): void {
  const sources = Array.from({ length: 20 }, (_, at) => [
    `src/${at}.c`,
    `int f${at};\n`.repeat(50),
  ]);
  writeFiles(directory, {
    Dockerfile: `FROM ${base}
WORKDIR /app
COPY a b ./
RUN cat a b > c
ENV X=1
COPY src/ ./src/
RUN ls src > list
CMD ["cat", "list"]
`,
    a: "a\n".repeat(100),
    b: "b\n".repeat(100),
    ...Object.fromEntries(sources),
  });
}

/** Steps that do next to nothing, one after the other. */
export function writeSteps(directory: string, base: string, steps: number): void {
  const lines = Array.from({ length: steps }, (_, at) => `RUN echo ${at} > /${at}\n`);
  writeFiles(directory, { Dockerfile: `FROM ${base}\n${lines.join("")}` });
}

/** Sorts, hashes and packs in one stage, and takes what came of it into the other. */
export function writeTwoStages(directory: string, base: string): void {
  const numbers = Array.from({ length: 20_000 }, (_, at) => `${(at * 7919) % 10_007}\n`);
  writeFiles(directory, {
    Dockerfile: `FROM ${base} AS build
WORKDIR /w
COPY in.txt .
RUN for i in 1 2 3 4 5; do sort in.txt | sha256sum > s$i; done
RUN mkdir out && for i in $(seq 200); do head -n $i in.txt > out/$i; done
RUN tar cf out.tar out && gzip -c out.tar > out.tar.gz && uname -m > arch
FROM ${base}
COPY --from=build /w/out /data
COPY --from=build /w/out.tar.gz /w/arch /
RUN cat /arch && ls /data | wc -l > /n
`,
    "in.txt": numbers.join(""),
  });
}

/** Two stages that all `targets` stand on; each waits a fifth of a second, which several can do at once. */
export function writeTargets(directory: string, base: string, targets: readonly string[]): void {
  const stages = targets.map(
    (name) =>
      `FROM mid AS ${name}\nRUN echo ${name} > /t && sleep 0.2\nCOPY --from=base /base /b\n`,
  );
  const baked = targets.map(
    (name) => `target "${name}" {
  context = "${directory}"
  target = "${name}"
  network = NETWORK
  tags = ["bench:${name}"]
  output = ["type=image,push=false"]
}
`,
  );
  const names = targets.map((name) => `"${name}"`).join(", ");
  writeFiles(directory, {
    Dockerfile: `FROM ${base} AS base
COPY nonce /nonce
RUN head -c 20000000 /dev/zero | sha256sum > /base
FROM base AS mid
RUN head -c 20000000 /dev/zero | md5sum > /mid
${stages.join("")}`,
    "docker-bake.hcl": `variable "NETWORK" { default = "" }
group "default" { targets = [${names}] }
${baked.join("")}`,
    nonce: "",
  });
}
