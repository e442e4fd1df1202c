
clang=$(tool CLANG clang "Debian's package clang brings it")
