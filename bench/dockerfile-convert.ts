// How long a Dockerfile of 2,000 lines takes from bytes to LLB, after start-up, and the definition back to a graph.
import { type ConvertIo, convertDockerfile } from "../src/formats/dockerfile/index.ts";
import { readDefinition } from "../src/formats/llb/index.ts";

/** Stages that read from one another, so that all of them are converted. */
function makeFile(lines: number): Uint8Array {
  const out: string[] = ["ARG VERSION=1.2.3"];
  for (let stage = 0; out.length < lines - 25; stage++) {
    out.push(
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
      stage === 0 ? `COPY . .` : `COPY --from=stage${stage - 1} /out/bin /usr/local/bin/`,
      `RUN <<EOF`,
      `set -e`,
      `make -j$(nproc) ARCH=$TARGETARCH`,
      `EOF`,
      `LABEL org.example.part="${stage}"`,
      `CMD ["part${stage}", "--serve"]`,
      ``,
    );
  }
  return new TextEncoder().encode(`${out.join("\n")}\n`);
}

const config = {
  os: "linux",
  architecture: "amd64",
  config: { Env: ["PATH=/usr/bin:/bin"] },
  rootfs: { type: "layers", diff_ids: [`sha256:${"a".repeat(64)}`] },
};
const io: ConvertIo = {
  resolveImage: async () => ({
    digest: `sha256:${"b".repeat(64)}`,
    config: new TextEncoder().encode(JSON.stringify(config)),
  }),
};
const options = { buildPlatforms: [{ os: "linux", architecture: "amd64" }], newId: () => "id" };
const data = makeFile(2000);

const times: { convert: number; read: number; ops: number }[] = [];
for (let run = 0; run < 30; run++) {
  // Processor time of this process: what else the machine does is not counted.
  const start = process.cpuUsage();
  const { definition = { ops: [] } } = await convertDockerfile(data, options, io);
  const converted = process.cpuUsage(start);
  const graph = readDefinition(definition);
  const read = process.cpuUsage(start);
  const sum = ({ user, system }: NodeJS.CpuUsage): number => (user + system) / 1000;
  times.push({
    convert: sum(converted),
    read: sum(read) - sum(converted),
    ops: graph.vertices.length,
  });
}
const median = (of: "convert" | "read"): string =>
  (times.map((time) => time[of]).sort((a, b) => a - b)[15] ?? 0).toFixed(1);
process.stdout.write(
  `dockerfile-convert: 2000 lines to ${times[0]?.ops} ops: first ${times[0]?.convert.toFixed(1)} ms, ` +
    `median ${median("convert")} ms; reading them ${median("read")} ms\n`,
);
