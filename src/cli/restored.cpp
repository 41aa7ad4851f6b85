#include "cli/restored.hpp"

#include "mailbox/number_anew.hpp"
#include "observe/event.hpp"
#include "store/folders.hpp"

namespace facteur::cli {

Task<Result<void>> settle_restored(host::World& world, world::Disk& data, store::Engine& engine) {
  auto marked = data.exists(store::restored_mark);
  if (!marked) co_return failed(marked);
  if (!*marked) co_return Result<void>{};
  auto accounts = co_await mailbox::number_anew(engine, world.random, world.clock.utc());
  if (!accounts) co_return failed(accounts);
  if (auto removed = data.remove(store::restored_mark); !removed) co_return failed(removed);
  if (auto synced = data.sync_directory("log"); !synced) co_return failed(synced);
  observe::Scope(world.log).event("mailboxes_numbered_anew").field("accounts", *accounts);
  co_return Result<void>{};
}

}  // namespace facteur::cli
