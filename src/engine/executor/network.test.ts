import { expect, it } from "vitest";
import { hostsFile } from "./network.ts";

it("writes loopback, the step's own name, and what the build adds", () => {
  expect(hostsFile("box", [{ host: "db", ip: "10.0.0.7" }])).toBe(
    "127.0.0.1\tlocalhost box\n::1\tlocalhost ip6-localhost ip6-loopback\n10.0.0.7\tdb\n",
  );
});
