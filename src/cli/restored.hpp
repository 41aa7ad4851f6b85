// The first opening of a data folder that came out of a backup.
#pragma once

#include "base/result.hpp"
#include "base/task.hpp"
#include "host/world.hpp"
#include "store/engine.hpp"

namespace facteur::cli {

// Numbers the mailboxes anew (mailbox/number_anew.hpp) if the folder has the mark of a restore (store/folders.hpp), and
// takes the mark away when that is durable. Before anybody else uses the engine. Fails as engine and disk do.
Task<Result<void>> settle_restored(host::World& world, world::Disk& data, store::Engine& engine);

}  // namespace facteur::cli
