// What the brakes know, gathered from the shards and given back to them.
#include <algorithm>

#include "directory/store_authenticator.hpp"

namespace facteur::directory {

Task<std::vector<Remembered>> StoreAuthenticator::remembered() {
  std::vector<Remembered> out;
  const BothClocks clocks{clock_.now(), clock_.utc()};
  networks_.remember(out, clocks);
  const unsigned here = shards_.current();
  for (unsigned shard = 0; shard < locals_.size(); ++shard) {
    co_await world::hop(shards_, shard);
    locals_[shard]->brake.remember(out, clocks);
  }
  co_await world::hop(shards_, here);
  co_return out;
}

Task<void> StoreAuthenticator::recall(std::vector<Remembered> all) {
  using What = Remembered::What;
  const BothClocks clocks{clock_.now(), clock_.utc()};
  std::ranges::sort(all, {}, &Remembered::at);  // What is the newest is forgotten last.
  std::vector<std::vector<const Remembered*>> of_shards(locals_.size());
  for (const auto& one : all) {
    if (one.what == What::network || one.what == What::good_network) {
      networks_.recall(one, clocks);
    } else {
      of_shards[home(one.what == What::login ? one.key : Brake::login_of(one.key))].push_back(&one);
    }
  }
  const unsigned here = shards_.current();
  for (unsigned shard = 0; shard < locals_.size(); ++shard) {
    co_await world::hop(shards_, shard);
    for (const Remembered* one : of_shards[shard]) locals_[shard]->brake.recall(*one, clocks);
  }
  co_await world::hop(shards_, here);
}

}  // namespace facteur::directory
