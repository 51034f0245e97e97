// Where a daemon listens: addresses as they are written, sockets with their owners, what is in the way.
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AsyncStack } from "../../base/index.ts";
import { listen, parseAddress } from "./listen.ts";

describe("an address", () => {
  it.each([
    ["unix:///run/b.sock", { kind: "unix", path: "/run/b.sock" }],
    ["tcp://127.0.0.1:1234", { kind: "tcp", host: "127.0.0.1", port: 1234 }],
    ["tcp://:0", { kind: "tcp", host: "", port: 0 }],
    ["tcp://[::1]:80", { kind: "tcp", host: "::1", port: 80 }],
    ["fd://", { kind: "fd" }],
    ["fd://3", { kind: "fd", fd: 3 }],
  ])("is read: %s", (text, address) => {
    expect(parseAddress(text)).toEqual(address);
  });

  it.each([
    "",
    "unix://",
    "/run/b.sock",
    "tcp://a",
    "tcp://a:99999",
    "tcp://::1:80",
    "npipe:////./p",
    "fd://x",
  ])("is refused: %s", (text) => {
    expect(() => parseAddress(text)).toThrow(/invalid address|you meant unix:/);
  });
});

describe("listening", () => {
  let directory: string;
  let owned: AsyncStack;
  const ignore = () => {};

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "kiln-listen-"));
    owned = new AsyncStack();
  });

  afterEach(async () => {
    await owned[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  });

  it("makes a socket that only its owner and group may open, and removes it", async () => {
    const path = join(directory, "below/b.sock");
    const [place] = await listen({ kind: "unix", path }, { accept: ignore });
    expect(statSync(path).mode & 0o777).toBe(0o660);
    await place?.[Symbol.asyncDispose]();
    expect(() => statSync(path)).toThrow("ENOENT");
  });

  it("takes the place of a daemon that is gone, not of one that is there", async () => {
    const path = join(directory, "b.sock");
    const address = { kind: "unix", path } as const;
    for (const place of await listen(address, { accept: ignore })) owned.use(place);
    await expect(listen(address, { accept: ignore })).rejects.toThrow("in use by another daemon");
    const file = join(directory, "file");
    writeFileSync(file, "mine");
    await expect(listen({ kind: "unix", path: file }, { accept: ignore })).rejects.toThrow(
      "exists and is not a socket",
    );
  });

  it("hands connections over, and says where it listens", async () => {
    const taken = new Promise<void>((resolve) => {
      void listen(
        { kind: "tcp", host: "127.0.0.1", port: 0 },
        {
          accept(socket) {
            socket.destroy();
            resolve();
          },
        },
      ).then(([place]) => {
        if (!place) return;
        owned.use(place);
        const port = Number(place.address.split(":").at(-1));
        connect(port, "127.0.0.1").on("error", ignore);
      });
    });
    await taken;
  });

  it("says that nobody passed a socket", async () => {
    await expect(listen({ kind: "fd" }, { accept: ignore, inherited: 0 })).rejects.toThrow(
      "no socket was passed",
    );
  });

  it("says which address is in use", async () => {
    const [first] = await listen({ kind: "tcp", host: "127.0.0.1", port: 0 }, { accept: ignore });
    if (first) owned.use(first);
    const port = Number(first?.address.split(":").at(-1));
    const again = listen({ kind: "tcp", host: "127.0.0.1", port }, { accept: ignore });
    await expect(again).rejects.toThrow(`127.0.0.1:${port}: the address is in use`);
  });
});
