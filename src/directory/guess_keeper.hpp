// Keeps what the brakes on guessing know over a restart: neither does an attacker get fresh tries by it, nor is a
// source forgotten that is known to be good. Records of the store, written together every ten seconds if anything
// changed (somebody who logs in well changes something once a day); bounded as the brakes are. A crash forgets the last
// seconds.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/task.hpp"
#include "base/wait.hpp"
#include "directory/store_authenticator.hpp"
#include "observe/event.hpp"
#include "store/engine.hpp"
#include "world/clock.hpp"
#include "world/shards.hpp"

namespace facteur::directory {

class GuessKeeper {
 public:
  static constexpr Duration every = 10s;

  GuessKeeper(StoreAuthenticator& authenticator, store::Engine& engine, world::Shards& shards, world::Clock& clock,
              observe::Scope scope)
      : authenticator_(authenticator), engine_(engine), shards_(shards), clock_(clock), scope_(std::move(scope)) {}

  // Before the first login. Damaged records are left out. Fails when the store cannot be read.
  Task<Result<void>> recall();
  // Until `drain` fires, and once more then. On the shard it is started on.
  Task<void> run(Wakeup& drain);
  // Now. Fails as the store does; nothing is forgotten then, the next one writes it.
  Task<Result<void>> keep();

 private:
  using Records = std::map<std::string, std::string>;
  Task<void> keep_and_tell();

  StoreAuthenticator& authenticator_;
  store::Engine& engine_;
  world::Shards& shards_;
  world::Clock& clock_;
  observe::Scope scope_;
  Records kept_;  // As they are in the store.
  bool failing_ = false;
};

}  // namespace facteur::directory
