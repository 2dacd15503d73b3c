// zstd as it is installed; the wrapper around it is LedgerCore/Log/Compression.swift.
#include <zstd.h>
