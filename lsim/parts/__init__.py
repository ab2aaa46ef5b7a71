"""By whom: one kind of part a file. Parts act through the kernel's verbs and know each other only by channels and ports."""
