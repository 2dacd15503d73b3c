// LMDB as it is installed; the wrapper around it is LedgerCore/Log/Environment.swift.
#include <lmdb.h>
