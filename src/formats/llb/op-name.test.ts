// Ops that nobody named are called as BuildKit calls them.
import { expect, it } from "vitest";
import { diff, image, merge, readDefinition, scratch } from "./index.ts";

const options = { platform: { os: "linux", architecture: "amd64" }, localUniqueId: "one" };
const base = image("docker.io/library/x:1");

it.each([
  [scratch().copy(base, "/a", "/b"), "copy /a /b"],
  [
    scratch().file([{ kind: "mkfile", path: "/f", mode: 0o600, data: new Uint8Array() }]),
    "mkfile /f",
  ],
  [
    base.file([
      { kind: "mkdir", path: "/d", mode: 0o700 },
      { kind: "rm", path: "/e" },
      { kind: "symlink", oldPath: "/o", newPath: "/n" },
    ]),
    "mkdir /d, rm /e, symlink /n -> /o",
  ],
  [merge([base, base.run(["true", "1"])]), "merge (docker-image://docker.io/library/x:1, true 1)"],
  [diff(base, base.run(["x"])), "diff (docker-image://docker.io/library/x:1) -> (x)"],
])("%#", (state, name) => {
  expect(readDefinition(state.marshal(options)).vertices.at(-1)?.name).toBe(name);
});

it("names do not grow without end", () => {
  let state = base;
  for (let depth = 0; depth < 60; depth++) state = merge([state, state.run(["true"]), state]);
  const { vertices } = readDefinition(state.marshal(options));
  expect(Math.max(...vertices.map(({ name }) => name.length))).toBeLessThan(5000);
});
