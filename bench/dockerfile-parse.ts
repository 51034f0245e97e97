// How long a Dockerfile of 2,000 lines takes from bytes to typed instructions, after start-up.
import { parseDockerfile, readInstructions } from "../src/formats/dockerfile/index.ts";

/** Stages of about 20 lines, as people write them. */
function makeFile(lines: number): Uint8Array {
  const out: string[] = ["# syntax=docker/dockerfile:1", "ARG VERSION=1.2.3"];
  for (let stage = 0; out.length < lines; stage++) {
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
      `COPY --from=stage0 /out/bin /usr/local/bin/`,
      `RUN <<EOF`,
      `set -e`,
      `make -j$(nproc) ARCH=$TARGETARCH`,
      `EOF`,
      `LABEL org.example.part="${stage}"`,
      `CMD ["part${stage}", "--serve"]`,
    );
  }
  return new TextEncoder().encode(`${out.slice(0, lines).join("\n")}\n`);
}

const data = makeFile(2000);
const times = Array.from({ length: 30 }, () => {
  const start = performance.now();
  const { value, problems } = parseDockerfile(data);
  const read = readInstructions(value.instructions);
  if (problems.length + read.problems.length > 1) throw new Error("the bench file has mistakes");
  return performance.now() - start;
});
const median = times.toSorted((a, b) => a - b)[15] ?? 0;
process.stdout.write(
  `dockerfile-parse: 2000 lines, ${data.length} bytes: first ${times[0]?.toFixed(1)} ms, median ${median.toFixed(1)} ms\n`,
);
