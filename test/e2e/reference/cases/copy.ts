// COPY: what lands where, and as whose.
import { dockerfileCase as build, type ContextFiles, type ReferenceCase } from "../case.ts";

const tree: ContextFiles = {
  "a.txt": "a\n",
  "b.txt": "b\n",
  "c.md": "c\n",
  "dir/one": "1\n",
  "dir/two.sh": { text: "#!/bin/sh\n", mode: 0o750, uid: 12, gid: 34 },
  "dir/sub/three": { text: "3\n", mode: 0o4755 },
  "dir/sub/deep/four": "4\n",
  "dir/link": { link: "one" },
  "dir/empty": { directory: true, mode: 0o1777 },
};

export const copyCases: readonly ReferenceCase[] = [
  build(
    "copy-file",
    `
    FROM scratch
    COPY a.txt /a.txt
    COPY a.txt b.txt /new/
    COPY a.txt renamed
    COPY a.txt /deep/er/name.txt
    COPY a.txt deep/slash/
  `,
    { files: tree },
  ),
  build(
    "copy-directory",
    `
    FROM scratch
    COPY dir /target
    COPY dir /target/
    COPY dir/ /other/
    COPY dir/. /dot
    COPY dir .
    COPY dir a.txt /both/
  `,
    { files: tree },
  ),
  build(
    "copy-whole-context",
    `
    FROM busybox
    COPY . .
    COPY . /app/
  `,
    { files: tree },
  ),
  build(
    "copy-wildcards",
    `
    FROM scratch
    COPY *.txt /txt/
    COPY ?.md /one/
    COPY [a-b].txt /range/
    COPY dir/* /contents/
    COPY d*/sub/* /below/
    COPY dir/s* /sub-only/
  `,
    { files: tree },
  ),
  build(
    "copy-wildcard-one-file-no-slash",
    `
    FROM scratch
    COPY *.md /name
    COPY d?r /directory
    COPY dir*/* /contents/
  `,
    { files: tree },
  ),
  build(
    "copy-wildcard-nothing",
    `
    FROM scratch
    COPY *.none /x/
  `,
    { files: tree },
  ),
  build(
    "copy-wildcard-optional-companion",
    `
    FROM scratch
    COPY a.txt *.none /x/
  `,
    { files: tree },
  ),
  build(
    "copy-missing",
    `
    FROM scratch
    COPY missing /x
  `,
    { files: tree },
  ),
  build(
    "copy-several-without-slash",
    `
    FROM scratch
    COPY a.txt b.txt /x
  `,
    { files: tree },
  ),
  build(
    "copy-links",
    `
    FROM scratch
    COPY link-to-file /file
    COPY link-to-directory /directory
    COPY link-to-directory/ /with-slash/
    COPY links /links
    COPY links/* /contents/
  `,
    {
      files: {
        ...tree,
        "link-to-file": { link: "a.txt" },
        "link-to-directory": { link: "dir" },
        "links/dangling": { link: "nowhere" },
        "links/absolute": { link: "/etc/passwd" },
        "links/loop": { link: "loop" },
        "links/up": { link: "../a.txt" },
        "links/directory": { link: "../dir" },
      },
    },
  ),
  build(
    "copy-dangling-link",
    `
    FROM scratch
    COPY dangling /x
  `,
    { files: { dangling: { link: "nowhere" } } },
  ),
  build(
    "copy-over-existing",
    `
    FROM scratch AS base
    COPY dir /target
    COPY a.txt /file
    FROM base
    COPY b.txt /file
    COPY a.txt /target
    COPY --chmod=700 dir /target
  `,
    { files: tree },
  ),
  build(
    "copy-directory-over-file",
    `
    FROM scratch
    COPY a.txt /x
    COPY dir /x
  `,
    { files: tree },
  ),
  build(
    "copy-directory-contents-over-file-below",
    `
    FROM scratch
    COPY a.txt /x/sub
    COPY dir /x
  `,
    { files: tree },
  ),
  build(
    "copy-file-over-directory-below",
    `
    FROM scratch
    COPY dir /x/one
    COPY dir /x
  `,
    { files: tree },
  ),
  build(
    "copy-file-over-link",
    `
    FROM scratch
    COPY links /x
    COPY files /x
  `,
    {
      files: {
        "links/f": { link: "target" },
        "links/target": "old\n",
        "links/d": { link: "e" },
        "links/e/x": "x\n",
        "files/f": "new\n",
        "files/d/y": "y\n",
      },
    },
  ),
  build(
    "copy-link-over-file",
    `
    FROM scratch
    COPY files /x
    COPY links /x
  `,
    { files: { "links/f": { link: "target" }, "files/f": "old\n" } },
  ),
  build(
    "copy-link-over-directory",
    `
    FROM scratch
    COPY files /x
    COPY links /x
  `,
    { files: { "links/d": { link: "target" }, "files/d/old": "old\n" } },
  ),
  build(
    "copy-into-linked-directory",
    `
    FROM busybox
    RUN mkdir -p /real/inner && ln -s /real /absolute && ln -s real relative && ln -s /missing /dangling
    COPY a.txt /absolute/
    COPY b.txt relative/inner/
    COPY c.md /absolute/new/name
    COPY dir /relative
  `,
    { files: tree },
  ),
  build(
    "copy-to-file-through-link",
    `
    FROM busybox
    RUN echo old > /real && ln -s real /name && ln -s missing /dangling
    COPY a.txt /name
    COPY b.txt /dangling
  `,
    { files: tree },
  ),
  build(
    "copy-chown",
    `
    FROM busybox
    RUN echo 'app:x:1000:1001::/app:/bin/sh' >> /etc/passwd && echo 'app:x:1001:' >> /etc/group && echo 'web:x:2000:' >> /etc/group
    COPY --chown=7 dir /number/
    COPY --chown=7:8 dir /both/
    COPY --chown=app a.txt /by-name
    COPY --chown=app:web a.txt /new/by-names
    COPY --chown=:web a.txt /group
    COPY --chown=0:web a.txt b.txt /mixed/
  `,
    { files: tree },
  ),
  build(
    "copy-chown-unknown",
    `
    FROM busybox
    COPY --chown=nosuch a.txt /x
  `,
    { files: tree },
  ),
  build(
    "copy-chown-name-in-scratch",
    `
    FROM scratch
    COPY --chown=app a.txt /x
  `,
    { files: tree },
  ),
  build(
    "copy-chown-existing-directory",
    `
    FROM busybox
    RUN mkdir -p /t/sub && chmod 700 /t
    COPY --chown=5:6 dir /t
    COPY --chown=7 dir/ /t/sub/
  `,
    { files: tree },
  ),
  build(
    "copy-chmod",
    `
    FROM busybox
    COPY --chmod=600 a.txt /file
    COPY --chmod=0711 dir /octal
    COPY --chmod=4755 a.txt /setuid
    COPY --chmod=u+x,g-w dir /symbolic
    COPY --chmod=a=rX dir /big-x
    COPY --chmod=go= dir /none
    COPY --chmod=u=rwX,go=rX dir/two.sh /new/directory/
  `,
    { files: tree },
  ),
  build(
    "copy-chmod-new-directories",
    `
    FROM scratch
    COPY --chmod=0711 a.txt /p/q/r/file
    COPY --chmod=0711 a.txt b.txt /p2/q2/
    COPY --chmod=u=rwx,go= a.txt b.txt /p4/q4/
    COPY --chmod=0711 dir /p5/q5/
    COPY --chmod=0600 b.txt /p6/
    WORKDIR /p6
  `,
    { files: tree },
  ),
  build(
    "copy-directory-of-stage",
    `
    FROM busybox AS build
    RUN mkdir -p /out/sub && echo 1 > /out/sub/one && chmod 2750 /out /out/sub && chown 3:4 /out /out/sub && touch -d '2001-02-03 04:05:06' /out/sub/one /out/sub /out
    FROM scratch
    COPY --from=build /out /x
    COPY --from=build /out/ /y/
    COPY --from=build /out/sub /out/sub /z/
    COPY --from=build /out/sub/one /out/sub/one
    COPY --from=build --chown=9 /out /owned
  `,
  ),
  build(
    "copy-chown-names",
    `
    FROM busybox
    RUN echo 'app:x:5:6::/app:/bin/sh' >> /etc/passwd && echo 'grp:x:9:' >> /etc/group
    COPY --chown=app:nosuch a.txt /1
    COPY --chown=nosuch:grp a.txt /2
    COPY --chown=7:nosuch a.txt /3
    COPY --chown=app: a.txt /4
    COPY --chown=-1 a.txt /5
    COPY --chown=root:root a.txt /6
  `,
    { files: tree },
  ),
  build(
    "copy-chown-root-in-scratch",
    `
    FROM scratch
    COPY --chown=root a.txt /1
    COPY --chown=0:0 a.txt /2
  `,
    { files: tree },
  ),
  build(
    "copy-link-flag",
    `
    FROM busybox
    RUN mkdir -p /real && ln -s real /alias && mkdir /both
    COPY --link a.txt /x/y/z
    COPY --link dir /both
    COPY --link --chown=3:4 --chmod=700 dir /owned/
    COPY --link b.txt /alias/
    COPY --link a.txt b.txt /both/
  `,
    { files: tree },
  ),
  build(
    "copy-exclude",
    `
    FROM scratch
    COPY --exclude=*.txt . /no-txt/
    COPY --exclude=sub dir /no-sub/
    COPY --exclude=**/deep --exclude=link dir /two/
    COPY --exclude=dir/sub . /below/
  `,
    { files: tree },
  ),
  build(
    "copy-hard-links",
    `
    FROM scratch
    COPY . /all/
    COPY hard/b /one
    COPY hard /dir
  `,
    {
      files: {
        "hard/a": "same\n",
        "hard/b": { hard: "hard/a" },
        "hard/sub/c": { hard: "hard/a" },
        other: { hard: "hard/a" },
      },
    },
  ),
  build(
    "copy-setuid-sticky",
    `
    FROM scratch
    COPY . /x/
    COPY --chown=1:2 suid /chowned
  `,
    {
      files: {
        suid: { text: "s", mode: 0o4755 },
        sgid: { text: "g", mode: 0o2755, uid: 5, gid: 6 },
        sticky: { directory: true, mode: 0o1777 },
        shared: { directory: true, mode: 0o2775, gid: 7 },
      },
    },
  ),
  build(
    "copy-empty",
    `
    FROM scratch
    COPY empty /empty
    COPY none /none
    COPY none/ /a/b/c/
    COPY nothing/. /d/
  `,
    { files: { empty: "", none: { directory: true }, nothing: { directory: true, mode: 0o700 } } },
  ),
  build(
    "copy-fifo",
    `
    FROM scratch
    COPY d /d
  `,
    { files: { "d/pipe": { fifo: true }, "d/file": "x" } },
  ),
  build(
    "copy-sparse",
    `
    FROM scratch
    COPY sparse /sparse
  `,
    { files: { sparse: { zeros: 5_000_001 } } },
  ),
  build(
    "copy-special-names",
    `
    FROM scratch
    COPY . /all/
    COPY ["with space.txt", "/a b/"]
    COPY "with space.txt" "/c d"
    COPY ["with space.txt", "#hash", "/e/"]
    COPY ünï* /unicode/
    COPY [[]x] /bracket
    COPY star\\* /star
  `,
    {
      files: {
        "with space.txt": "1",
        "#hash": "2",
        ünïcödé: "3",
        "new\nline": "4",
        "[x]": "5",
        "star*": "6",
        starry: "7",
        "back\\slash": "8",
        "tab\tbed": "9",
        "-dash": "10",
        " lead": "11",
      },
    },
  ),
  build(
    "copy-long-names",
    `
    FROM scratch
    COPY . /x/
    COPY ${"n".repeat(255)} /short
    COPY . /${"d".repeat(120)}/${"e".repeat(120)}/
  `,
    {
      files: {
        ["n".repeat(255)]: "long\n",
        [`${"p".repeat(90)}/${"q".repeat(90)}/${"r".repeat(90)}/leaf`]: "leaf\n",
        l: { link: "t".repeat(150) },
      },
    },
  ),
  build(
    "copy-deep-path",
    `
    FROM scratch
    COPY . /x
  `,
    { files: { [`${"d/".repeat(120)}leaf`]: "deep\n" } },
  ),
  build(
    "copy-five-thousand",
    `
    FROM scratch
    COPY . /x/
  `,
    {
      files: Object.fromEntries(
        Array.from({ length: 5000 }, (_, i) => [`d${i % 50}/f${i}`, `${i}\n`]),
      ),
    },
  ),
  build(
    "copy-from-stages",
    `
    FROM busybox AS build
    RUN mkdir /out && echo 1 > /out/one && ln -s one /out/link && ln /out/one /out/hard && mkfifo /out/pipe && chown 3:4 /out/one && chmod 4711 /out/one
    WORKDIR /rel
    RUN echo r > file
    FROM scratch AS middle
    COPY --from=build /out /m
    FROM scratch
    COPY --from=0 /out/ /number/
    COPY --from=build rel/file /relative
    COPY --from=middle /m/link /followed
    COPY --from=busybox /etc/group /etc/
    COPY --from=build /out/l* /star/
  `,
  ),
  build(
    "copy-from-with-device",
    `
    FROM busybox AS build
    RUN mkdir /out && mknod /out/null c 1 3 && chmod 640 /out/null && mknod /out/block b 7 0
    FROM scratch
    COPY --from=build /out /x
  `,
    // The reference copies every device as a character device.
    { differs: (line) => line.replace("x/block char-device", "x/block block-device") },
  ),
  build(
    "copy-same-stage-twice",
    `
    FROM busybox AS a
    COPY a.txt /
    FROM a AS b
    COPY b.txt /
    FROM a
    COPY --from=b /b.txt /c.txt
  `,
    { files: tree },
  ),
  build(
    "copy-root",
    `
    FROM busybox AS build
    RUN rm -rf /bin /etc/passwd && chmod 711 /
    FROM scratch
    COPY --from=build / /
  `,
    {},
  ),
  build(
    "copy-root-chown",
    `
    FROM scratch
    COPY --chown=3:4 dir /
  `,
    { files: tree },
  ),
  build(
    "copy-dotdot",
    `
    FROM scratch
    COPY ../a.txt /x/../y
    COPY dir/../b.txt ./z/./w
    COPY /dir/./one /
  `,
    { files: tree },
  ),
];
