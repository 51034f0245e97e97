// Bills of materials: what package managers wrote down is found, told as SPDX, the same each time.
import { describe, expect, it } from "vitest";
import type { ScanView } from "./packages.ts";
import { scanFiles } from "./spdx.ts";

function viewOf(files: Readonly<Record<string, string>>): ScanView {
  return {
    list(path) {
      const prefix = path === "/" ? "/" : `${path}/`;
      const below = Object.keys(files).filter((one) => one.startsWith(prefix));
      const names = below.map((one) => one.slice(prefix.length).split("/")[0] ?? "");
      return below.length === 0 ? undefined : [...new Set(names)].sort();
    },
    read: (path) => (path in files ? new TextEncoder().encode(files[path]) : undefined),
  };
}

const debian = viewOf({
  "/etc/os-release": 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12"\n',
  "/var/lib/dpkg/status": `Package: bash
Status: install ok installed
Architecture: amd64
Maintainer: M <m@debian.org>
Version: 5.2.15-2+b8

Package: gone
Status: deinstall ok config-files
Version: 1

Package: libc6
Status: install ok installed
Architecture: amd64
Source: glibc (2.36)
Version: 2.36-9
`,
  "/app/node_modules/@a/b/package.json": '{"name":"@a/b","version":"1.2.3","license":"MIT"}',
  "/app/node_modules/bad/package.json": "{",
});

function purls(document: unknown): readonly unknown[] {
  const { packages } = document as {
    packages: { externalRefs?: { referenceLocator: string }[] }[];
  };
  return packages.flatMap(({ externalRefs = [] }) =>
    externalRefs.map((one) => one.referenceLocator),
  );
}

describe("a scan", () => {
  const document = scanFiles(debian, { name: "image", created: 0 });

  it("finds what is installed, and only that", () => {
    expect(purls(document)).toEqual([
      "pkg:deb/debian/bash@5.2.15-2%2Bb8?arch=amd64&distro=debian-12",
      "pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=debian-12&upstream=glibc",
      "pkg:npm/%40a/b@1.2.3",
    ]);
  });

  it("is an SPDX document in which everything is related", () => {
    expect(document).toMatchObject({
      spdxVersion: "SPDX-2.3",
      dataLicense: "CC0-1.0",
      SPDXID: "SPDXRef-DOCUMENT",
      creationInfo: { created: "1970-01-01T00:00:00Z" },
    });
    const { packages, relationships } = document as {
      packages: { SPDXID: string }[];
      relationships: { relatedSpdxElement: string }[];
    };
    expect(relationships.map((one) => one.relatedSpdxElement)).toEqual(
      packages.map((one) => one.SPDXID),
    );
    for (const { SPDXID } of packages) expect(SPDXID).toMatch(/^SPDXRef-[A-Za-z0-9.-]+$/);
  });

  it("gives the same bytes for the same files", () => {
    const again = scanFiles(debian, { name: "image", created: 0 });
    expect(JSON.stringify(again)).toBe(JSON.stringify(document));
  });

  it("finds Alpine's packages", () => {
    const alpine = viewOf({
      "/etc/os-release": "ID=alpine\nVERSION_ID=3.20\n",
      "/lib/apk/db/installed": "P:musl\nV:1.2.5-r0\nA:x86_64\nL:MIT\n\nP:zlib\nV:1.3\n",
    });
    expect(purls(scanFiles(alpine, { name: "x", created: 0 }))).toEqual([
      "pkg:apk/alpine/musl@1.2.5-r0?arch=x86_64&distro=alpine-3.20",
      "pkg:apk/alpine/zlib@1.3?distro=alpine-3.20",
    ]);
  });
});
