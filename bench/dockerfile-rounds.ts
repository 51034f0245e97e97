// Reads and converts a Dockerfile of 2,000 lines over and over, and writes how long each round took; bench/dockerfile.ts starts it.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of the language under test look so.
import {
  type ConvertIo,
  convertDockerfile,
  parseDockerfile,
  readInstructions,
} from "../src/formats/dockerfile/index.ts";

/** Stages of about 20 lines, as people write them. */
function makeFile(lines: number): Uint8Array {
  const out: string[] = ["# syntax=docker/dockerfile:1", "ARG VERSION=1.2.3"];
  for (let stage = 0; out.length + 20 <= lines; stage++) {
    out.push(
      `# stage${stage} builds part ${stage}`,
      `FROM debian:\${VERSION} AS stage${stage}`,
      `ARG TARGETARCH`,
      `ENV PATH="/opt/part${stage}/bin:$PATH" MODE=release`,
      `WORKDIR /src/part${stage}`,
      `RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \\`,
      `    --mount=type=bind,source=.,target=/src \\`,
      `    apt-get update && apt-get install -y --no-install-recommends \\`,
      `      build-essential \\`,
      `      # what the tests need`,
      `      curl git \\`,
      `    && rm -rf /var/lib/apt/lists/*`,
      `COPY --chown=1000:1000 --link package.json src/ ./`,
      `COPY --from=${stage === 0 ? "tools" : `stage${stage - 1}`} /out/bin /usr/local/bin/`,
      `RUN <<EOF`,
      `set -e`,
      `make -j$(nproc) ARCH=$TARGETARCH`,
      `EOF`,
      `LABEL org.example.part="${stage}"`,
      `CMD ["part${stage}", "--serve"]`,
    );
  }
  return new TextEncoder().encode(`${out.join("\n")}\n`);
}

/** Every image exists, as one layer. */
const io: ConvertIo = {
  async resolveImage() {
    const rootfs = { type: "layers", diff_ids: [`sha256:${"0".repeat(64)}`] };
    const config = {
      os: "linux",
      architecture: "amd64",
      rootfs,
      history: [{ created_by: "base" }],
    };
    return { config: new TextEncoder().encode(JSON.stringify(config)) };
  },
};

const data = makeFile(2000);
const options = {
  buildPlatforms: [{ os: "linux", architecture: "amd64" }],
  newId: () => "id",
  allStages: true,
};

function parse(): void {
  const { value, problems } = parseDockerfile(data);
  const read = readInstructions(value.instructions);
  if (problems.length + read.problems.length > 0) throw new Error("the bench file has mistakes");
}

async function main([what, rounds]: readonly string[]): Promise<void> {
  const work = what === "parse" ? parse : () => convertDockerfile(data, options, io);
  const times: number[] = [];
  const cpu: number[] = [];
  for (let round = 0; round < Number(rounds); round++) {
    const before = process.cpuUsage();
    const start = performance.now();
    await work();
    times.push(performance.now() - start);
    const { user, system } = process.cpuUsage(before);
    cpu.push((user + system) / 1000);
  }
  process.stdout.write(JSON.stringify({ bytes: data.length, times, cpu }));
}

void main(process.argv.slice(2));
