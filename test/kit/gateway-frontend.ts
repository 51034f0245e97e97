// A frontend for tests: a program in an image that speaks the gateway protocol on its input and output. Its "Dockerfile" has
// one command a line; hostile ones too.
import { Duplex } from "node:stream";
import { uncancelled } from "../../src/base/index.ts";
import { encodeDefinition, image, local, scratch } from "../../src/formats/llb/index.ts";
import { gateway, pb } from "../../src/formats/proto/index.ts";
import { createClient, openChannel } from "../../src/remote/grpc/index.ts";

const options = new Map(
  Object.entries(process.env)
    .filter(([name]) => name.startsWith("BUILDKIT_FRONTEND_OPT_"))
    .map(([, value = ""]): [string, string] => {
      const at = value.indexOf("=");
      return [value.slice(0, at), value.slice(at + 1)];
    }),
);
const platform = { os: "linux", architecture: process.arch === "arm64" ? "arm64" : "amd64" };
const marshal = { platform, localUniqueId: "test" };
const text = new TextDecoder();
const bytes = (words: string) => new TextEncoder().encode(words);

const socket = Duplex.from({ readable: process.stdin, writable: process.stdout });
const bridge = createClient(gateway.LLBBridgeDefinition, openChannel(socket));

async function solve(state: ReturnType<typeof scratch>): Promise<string> {
  const Definition = pb.Definition.decode(encodeDefinition(state.marshal(marshal)));
  const request = gateway.SolveRequest.create({ Definition, allowResultReturn: true });
  const { result } = await bridge.solve(request, uncancelled);
  return result?.result?.$case === "ref" ? result.result.value.id : "";
}

async function readCommands(): Promise<readonly (readonly [string, string])[]> {
  const filename = options.get("filename") ?? "Dockerfile";
  const name = options.get("dockerfilekey") ?? "dockerfile";
  const ref = await solve(local(name, { includePatterns: [filename] }));
  const request = gateway.ReadFileRequest.create({ Ref: ref, FilePath: filename });
  const { Data } = await bridge.readFile(request, uncancelled);
  return text
    .decode(Data)
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => {
      const [word = "", ...rest] = line.split(" ");
      return [word, rest.join(" ")] as const;
    });
}

async function finish(id: string): Promise<void> {
  const config = { ...platform, config: { Labels: { frontend: "test" } } };
  const result = gateway.Result.create({
    result: { $case: "ref", value: { id, def: undefined } },
    metadata: new Map([["containerimage.config", bytes(JSON.stringify(config))]]),
  });
  await bridge.return(gateway.ReturnRequest.create({ result }), uncancelled);
}

async function inContainer(command: string): Promise<string> {
  const ref = await solve(image("docker.io/library/busybox:latest", { platform }));
  const mount = pb.Mount.create({ dest: "/", input: -1, output: -1, resultID: ref });
  const ContainerID = "c";
  await bridge.newContainer(
    gateway.NewContainerRequest.create({ ContainerID, Mounts: [mount] }),
    uncancelled,
  );
  const Meta = pb.Meta.create({ args: ["sh", "-c", command], cwd: "/", env: ["WHO=frontend"] });
  const init = gateway.InitMessage.create({ ContainerID, Meta, Fds: [1, 2] });
  let done = () => {};
  const over = new Promise<void>((resolve) => {
    done = resolve;
  });
  async function* requests() {
    yield gateway.ExecMessage.create({ ProcessID: "p", Input: { $case: "Init", value: init } });
    await over;
  }
  let said = "";
  for await (const { Input } of bridge.execProcess(requests(), uncancelled)) {
    if (Input?.$case === "File") said += text.decode(Input.value.Data);
    if (Input?.$case === "Exit") said += `exit ${Input.value.Code}\n`;
    if (Input?.$case === "Done") done();
  }
  await bridge.releaseContainer({ ContainerID }, uncancelled);
  return said;
}

async function run(): Promise<void> {
  let state = scratch();
  for (const [word, rest] of await readCommands()) {
    switch (word) {
      case "FILE": {
        const [path = "", ...words] = rest.split(" ");
        state = state.file([
          { kind: "mkfile", path, mode: 0o644, data: bytes(`${words.join(" ")}\n`) },
        ]);
        break;
      }
      case "OPTION":
        state = state.file([
          { kind: "mkfile", path: `/${rest}`, mode: 0o644, data: bytes(options.get(rest) ?? "") },
        ]);
        break;
      case "CONTEXT": {
        const sessionId = options.get("local-sessionid:context");
        const lent = local("context", sessionId === undefined ? {} : { sessionId });
        state = state.copy(lent, `/${rest}`, "/");
        break;
      }
      case "EXEC":
        state = state.file([
          { kind: "mkfile", path: "/said", mode: 0o644, data: bytes(await inContainer(rest)) },
        ]);
        break;
      case "FORWARD": {
        const FrontendOpt = new Map([...options, ["filename", rest]]);
        const { result } = await bridge.solve(
          gateway.SolveRequest.create({
            Frontend: "dockerfile.v0",
            FrontendOpt,
            allowResultReturn: true,
          }),
          uncancelled,
        );
        await bridge.return(gateway.ReturnRequest.create({ result }), uncancelled);
        return;
      }
      case "STRANGER":
        return await finish("3f3c1c0e-0000-4000-8000-000000000000");
      case "SILENT":
        return;
      case "REFUSE": {
        // As Go's frontends do: they tell their error, and then die of it.
        const error = { code: 2, message: rest, details: [] };
        await bridge.return(gateway.ReturnRequest.create({ error }), uncancelled);
        process.exit(2);
        break;
      }
      case "CRASH":
        console.error("cannot go on");
        process.exit(7);
        break;
      case "NEVER":
        setInterval(() => {}, 1000);
        return await new Promise<never>(() => {});
      case "GARBAGE":
        for (let at = 0; at < 64; at++) process.stdout.write(new Uint8Array(1 << 20).fill(at));
        setInterval(() => {}, 1000);
        return await new Promise<never>(() => {});
      case "FLOOD":
        for (;;) await Promise.all(Array.from({ length: 64 }, () => solve(state)));
      default:
        throw new Error(`unknown command ${word}`);
    }
  }
  await finish(await solve(state));
}

run().then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(String(error));
    process.exit(1);
  },
);
