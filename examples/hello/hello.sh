#!/bin/sh
# Says for which platform it was built and on which processor it runs now.
echo "$(cat shout.txt), $1! I was built for @PLATFORM@ (@MACHINE@) and run on $(uname -m)."
