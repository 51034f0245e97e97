// RUN: what steps leave in their layers.
import { dockerfileCase as build, type ReferenceCase } from "../case.ts";

const lower = `
    FROM busybox AS lower
    RUN mkdir -p /d/e/f && echo 1 > /d/one && echo 2 > /d/e/two && echo 3 > /d/e/f/three && ln -s one /d/link && ln /d/one /d/hard && chmod 750 /d/e`;

export const runCases: readonly ReferenceCase[] = [
  build(
    "run-nothing",
    `
    FROM busybox
    RUN true
  `,
  ),
  build(
    "run-files",
    `
    FROM busybox
    RUN echo x > /x && mkdir -p /a/b && ln -s /nowhere /dangling && mkfifo /pipe && ln /x /hard && chmod 6755 /x && mkdir -m 1777 /sticky
    RUN echo 1 > /etc/new
    RUN touch /bin/tool /a/b/c
  `,
  ),
  build(
    "run-delete",
    `${lower}
    FROM lower
    RUN rm /d/one
    RUN rm -r /d/e/f
    RUN rm -r /d
    RUN rm /etc/passwd
  `,
  ),
  build(
    "run-delete-own",
    `
    FROM busybox
    RUN mkdir -p /x/y && echo 1 > /x/y/z && rm -r /x
  `,
  ),
  build(
    "run-recreate",
    `${lower}
    FROM lower
    RUN rm /d/one && echo again > /d/one
    RUN rm -r /d/e && mkdir /d/e && echo new > /d/e/new
    RUN rm -r /d && mkdir -p /d/e/f && echo 3 > /d/e/f/three
    RUN rm -r /d && echo file > /d
    RUN rm /d && mkdir /d
  `,
  ),
  build(
    "run-move",
    `${lower}
    FROM lower
    RUN mv /d /moved
    RUN mv /moved/e/f /f && mv /moved/one /moved/uno
    RUN mv /f /moved/e/f
  `,
  ),
  build(
    "run-attributes",
    `${lower}
    FROM lower
    RUN chmod 600 /d/one
    RUN chown 5:6 /d/e
    RUN chown -R 7:8 /d
    RUN chown -h 9 /d/link
    RUN touch -d '2001-02-03 04:05:06' /d/one /d/e
    RUN chmod 700 /
  `,
  ),
  build(
    "run-hard-links",
    `${lower}
    FROM lower
    RUN ln /d/e/two /d/e/again
    RUN ln /d/one /d/third
    RUN echo more >> /d/hard
    RUN rm /d/one
  `,
    {
      // Names of one file below stay names of one file in the layer; the reference writes them apart.
      differs: (line) => line.replace(/^d\/(e\/two|third|one) .*/, ""),
    },
  ),
  build(
    "run-same-content",
    `${lower}
    FROM lower
    RUN cp /d/one /tmp/x && cat /tmp/x > /d/one && rm /tmp/x
    RUN touch /d/e/two
    RUN chmod 750 /d/e
  `,
  ),
  build(
    "run-mounts",
    `
    FROM busybox AS other
    RUN mkdir /o && echo o > /o/file
    FROM busybox
    RUN --mount=type=bind,target=/ctx cat /ctx/a.txt > /copied
    RUN --mount=type=bind,source=a.txt,target=/one/file cat /one/file
    RUN --mount=type=bind,from=other,source=/o,target=/mnt/deep/er,rw echo x > /mnt/deep/er/new && cat /mnt/deep/er/file
    RUN --mount=type=cache,target=/cache/dir echo c > /cache/dir/x
    RUN --mount=type=tmpfs,target=/tmpfs/here echo t > /tmpfs/here/x
    RUN --mount=type=secret,id=hush cat /run/secrets/hush | wc -c > /length
    RUN --mount=type=secret,id=hush,target=/etc/deep/secret,mode=0444,uid=5 ls -ln /etc/deep/secret | cut -c1-10 > /mode
    RUN --mount=type=secret,id=hush,env=WORD echo $WORD > /word
    RUN --mount=type=secret,id=none true
    RUN --mount=type=tmpfs,target=/etc echo x > /etc/x
  `,
    { files: { "a.txt": "a\n" }, flags: ["--secret=id=hush,env=SECRET_OF_TEST"] },
  ),
  build(
    "run-mount-over-own-files",
    `
    FROM busybox
    RUN --mount=type=bind,target=/made/by/mount mkdir -p /made/by/hand && echo 1 > /made/file
    RUN --mount=type=cache,target=/made/cache mkdir /made/dir
  `,
  ),
  build(
    "run-mount-from-required",
    `
    FROM busybox
    RUN --mount=type=secret,id=none,required=true true
  `,
  ),
  build(
    "run-cache-from",
    `
    FROM busybox AS seed
    RUN mkdir /seed && echo s > /seed/file
    FROM busybox
    RUN --mount=type=cache,target=/c,from=seed,source=/seed,id=run-cache-from,uid=4,gid=5,mode=0711 ls -lnd /c | cut -c1-30 > /listing; cat /c/file >> /listing
  `,
  ),
  build(
    "run-in-scratch",
    `
    FROM busybox AS b
    FROM scratch
    COPY --from=b /bin/busybox /bin/busybox
    COPY --from=b /bin/sh /sh
    RUN ["/bin/busybox", "mkdir", "-p", "/x/y"]
    RUN ["/bin/busybox", "touch", "/x/file"]
  `,
    {
      // The reference leaves behind where it mounted /dev, /proc and /sys.
      differs: (line) =>
        line.replace(/^(\S*busybox|sh) file.*/, "$1").replace(/^(dev|proc|sys) directory.*/, ""),
    },
  ),
  build(
    "run-heredoc",
    `
    FROM busybox
    ENV NAME=value
    RUN <<EOF
    echo one > /one
    echo $NAME > /two
    EOF
    RUN <<'EOF'
    echo $NAME > /three
    EOF
    RUN <<-EOF
    \tcat > /four <<-END
    \t\tinner
    \tEND
    EOF
    RUN cat <<A > /five && cat <<B >> /five
    first $NAME
    A
    second
    B
    RUN <<EOF cat > /six
    via cat
    EOF
    RUN <<EOF
    #!/bin/busybox sh
    echo shebang > /seven
    EOF
  `,
  ),
  build(
    "copy-heredoc",
    `
    FROM busybox
    ENV NAME=value
    COPY <<one <<two /dir/
    1 $NAME
    one
    2
    two
    COPY <<'quoted' /quoted
    $NAME and \\$NAME
    quoted
    COPY <<-indented /indented
    \t\ttabs
    indented
    COPY --chown=3:4 --chmod=750 <<owned /owned
    x
    owned
    COPY <<empty /empty
    empty
    ADD <<added a.txt /mixed/
    added
    added
  `,
    { files: { "a.txt": "a\n" } },
  ),
  build(
    "run-workdir",
    `
    FROM busybox
    WORKDIR /a
    WORKDIR b
    WORKDIR c/../d
    RUN pwd > /pwd
    ENV WHERE=/from/env
    WORKDIR $WHERE/x
    RUN touch here
    WORKDIR /
    RUN touch root
    WORKDIR ""
  `,
  ),
  build(
    "run-workdir-simple",
    `
    FROM busybox
    WORKDIR relative
    RUN pwd > file
    WORKDIR ..
    RUN pwd > file
    WORKDIR ./x/
    WORKDIR /etc
    WORKDIR /etc/
  `,
    // BuildKit 0.32 cleans the path, 0.25 does not yet.
    { differs: (line) => line.replace("/etc/", "/etc") },
  ),
  build(
    "run-workdir-link",
    `
    FROM busybox
    RUN mkdir -p /real/in && ln -s real /alias && ln -s /real/in /abs && ln -s /missing /dangling
    WORKDIR /alias/new
    RUN pwd > /pwd
    WORKDIR /abs
    RUN touch file
    COPY a.txt .
    WORKDIR /dangling
  `,
    { files: { "a.txt": "a\n" } },
  ),
  build(
    "run-workdir-user",
    `
    FROM busybox
    RUN echo 'app:x:1000:1001::/app:/bin/sh' >> /etc/passwd
    USER app
    WORKDIR /made/by/app
    COPY a.txt .
    USER 5:6
    WORKDIR other
  `,
    { files: { "a.txt": "a\n" } },
  ),
  build(
    "run-user",
    `
    FROM busybox
    RUN echo 'app:x:1000:1001::/app:/bin/sh' >> /etc/passwd && printf 'app:x:1001:\\nextra:x:50:app\\nmore:x:51:other,app\\n' >> /etc/group && chmod 1777 /tmp && mkdir -m 777 /w
    USER app
    RUN id > /w/name; echo $HOME >> /w/name; env | sort >> /w/name
    USER 1000
    RUN id > /w/number; echo $HOME >> /w/number
    USER app:extra
    RUN id > /w/group
    USER 77
    RUN id > /w/unknown; echo $HOME >> /w/unknown
    USER 77:88
    RUN id > /w/unknowns
    USER :50
    RUN id > /w/only-group || true
    USER root
    RUN id > /w/root
  `,
  ),
  build(
    "run-user-missing",
    `
    FROM busybox
    USER nosuch
    RUN true
  `,
  ),
  build(
    "run-environment",
    `
    FROM busybox
    ARG A=1
    ENV B=2 C="two words" D=$A PATH=$PATH:/more
    RUN env | sort > /env; umask > /umask; ulimit -n > /dev/null; cat /proc/self/limits | grep -c Max > /dev/null; pwd > /pwd
    RUN --network=none ls -l /etc/hosts /etc/resolv.conf | wc -l > /x || true
  `,
    { flags: ["--build-arg=A=given"] },
  ),
  build(
    "run-fails",
    `
    FROM busybox
    RUN exit 3
  `,
  ),
  build(
    "run-volume",
    `
    FROM busybox
    RUN mkdir /v && echo 1 > /v/before
    VOLUME /v /w
    RUN echo 2 > /v/after; mkdir -p /w/x
  `,
  ),
  build(
    "run-etc-hosts",
    `
    FROM busybox
    RUN cat /etc/hosts > /dev/null && test -e /etc/resolv.conf && ls /etc > /list
    RUN echo '1.2.3.4 x' >> /etc/hosts || true
    RUN rm -f /etc/resolv.conf || true
  `,
  ),
  build(
    "run-dev-proc",
    `
    FROM busybox
    RUN echo x > /dev/null && ls /dev | grep -v core | sort > /devices
    RUN touch /tmp/x /run-file && mkdir -p /run /proc/x 2>/dev/null; true
    RUN ls -ld /sys /proc | cut -c1-10 > /m
  `,
  ),
  build(
    "run-timestamps",
    `
    FROM busybox
    RUN mkdir /d && touch -d '2005-05-05 05:05:05' /d/old /d
    RUN touch /d/new
    COPY a.txt /d/
  `,
    { files: { "a.txt": "a\n" } },
  ),
  build(
    "run-opaque-again",
    `
    FROM busybox
    RUN mkdir -p /d/a /d/b && touch /d/a/1 /d/b/2
    RUN rm -rf /d && mkdir /d && touch /d/c
    RUN mkdir -p /d/a && touch /d/a/3
    RUN rm -rf /d/* && touch /d/x
  `,
  ),
  build(
    "run-shell",
    `
    FROM busybox
    SHELL ["/bin/sh", "-exc"]
    RUN echo $0 > /x
    SHELL ["/bin/busybox", "ash", "-c"]
    RUN echo a && \\
        # a comment

        echo b > /y
    RUN ["touch", "/exec form"]
    RUN [ "touch", '/single' ] || true
  `,
  ),
  build(
    "run-capabilities",
    `
    FROM busybox
    RUN mknod /null c 1 3 && mknod /blk b 8 1 && chmod 600 /null
    RUN chown 1000:1000 /null
  `,
  ),
  build(
    "run-recreate-type",
    `${lower}
    FROM lower
    RUN rm /d/link && mkdir /d/link && touch /d/link/x
    RUN rm -r /d/e && ln -s one /d/e
    RUN rm /d/one && mkfifo /d/one
  `,
  ),
];
