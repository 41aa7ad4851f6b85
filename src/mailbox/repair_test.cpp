// fsck of an account: whatever derived records are gone, all is as it was; whatever is damaged, all invariants hold
// again and what is whole stays as it was.
#include "mailbox/repair.hpp"

#include "mailbox/model_test.hpp"

using namespace facteur;
using namespace facteur::mailbox;
using model::account;

namespace {

class Map final : public KeyValue {
 public:
  std::map<std::string, std::string, std::less<>> map;

  Result<std::optional<std::string>> get(Bytes key) const override {
    const auto found = map.find(key);
    return found == map.end() ? std::optional<std::string>() : found->second;
  }
  Result<void> scan(Bytes from, Bytes to, const Visit& visit) const override {
    for (auto at = map.lower_bound(from); at != map.end() && at->first < to; ++at) {
      if (!visit(at->first, at->second)) break;
    }
    return {};
  }
  void write(const Layer& layer, const Repaired& repaired) {
    store::Batch batch;
    layer.write_to(batch);
    for (auto& [kind, key, value] : batch.operations) {
      kind == store::Batch::Operation::Kind::put ? void(map[key] = value) : void(map.erase(key));
    }
    for (const auto& [blob, owner] : repaired.references) map[store::Key('Z').raw(blob.bytes()).raw(owner).take()] = "";
  }
  std::vector<std::string> keys_of(std::string_view subspaces) const {
    std::vector<std::string> found;
    for (const char subspace : subspaces) {
      const auto first = keys::of(subspace, account).take();
      for (auto at = map.lower_bound(first); at != map.end() && at->first.starts_with(first); ++at) {
        found.push_back(at->first);
      }
    }
    return found;
  }
};

// An account after random operations of all protocols, with all runs carried.
const Map& lived(std::uint64_t seed) {
  static std::map<std::uint64_t, Map> made;
  if (const auto known = made.find(seed); known != made.end()) return known->second;
  model::MapKeeper keeper;
  model::run(keeper, {.seed = seed, .operations = 1500, .check_every = 0, .sync_per_mille = 0});
  Map& map = made[seed];
  const auto copied = keeper.scan("", "\xff", [&](Bytes key, Bytes value) {
    map.map.emplace(key, value);
    return true;
  });
  REQUIRE(copied);
  return map;
}

Repaired repair(Map& map) {
  Layer layer(map);
  auto repaired = repair_account(layer, account, {.now = UtcTime{1}, .replica = {}, .thread_keys = {}});
  REQUIRE(repaired);
  if (repaired->any()) map.write(layer, *repaired);
  return std::move(*repaired);
}

void must_hold(const Map& map) {
  const auto problems = check_account(map, account);
  REQUIRE(problems);
  for (const auto& problem : *problems) CHECK_MESSAGE(problem.empty(), problem);
}

std::string shown(const Row& row) {
  std::string text = std::to_string(row.uid.value) + " " + std::to_string(row.modseq.value) + " " +
                     std::to_string(row.flags.bits) + " " + std::to_string(row.size) + " " +
                     std::to_string(row.received.milliseconds) + " " + std::to_string(row.item.value) + " " +
                     std::to_string(row.mid.value) + " " + std::to_string(row.thread.value);
  for (const auto keyword : row.flags.keywords) text += "," + std::to_string(keyword);
  return text;
}

// All that IMAP shows: the mailboxes, their rows, what has vanished since the beginning.
std::map<std::string, std::string> seen(const Map& map) {
  std::map<std::string, std::string> out;
  for (const auto& key : map.keys_of("C")) {
    const auto c = decode<Container>(map.map.at(key));
    if (!c || c->kind == ContainerKind::trash) continue;
    const std::string name = c->name + "/";
    out[name] = std::to_string(c->uidvalidity.value) + " " + std::to_string(c->uidnext) + " " +
                std::to_string(c->high) + " " + std::to_string(c->total) + " " + std::to_string(c->unread) + " " +
                std::to_string(c->deleted) + " " + std::to_string(c->bytes) + " " + std::to_string(c->floor);
    const auto rows = load_rows(map, account, *c, {});
    REQUIRE(rows);
    for (std::size_t i = 0; i < rows->size(); ++i) out[name + std::to_string(rows->uid(i).value)] = shown(rows->row(i));
    const auto changes = collection_changes(map, account, c->id, c->floor);
    REQUIRE(changes);
    REQUIRE(*changes);
    for (const auto& entry : (**changes).entries) {
      out[name + "changed " + std::to_string(entry.uid.value)] =
          std::to_string(entry.modseq) + (entry.vanished ? " vanished" : "");
    }
  }
  return out;
}

}  // namespace

TEST_CASE("fsck: Whatever derived records of an account are deleted, its repair gives the same as before") {
  for (const std::uint64_t seed : {1U, 2U, 3U}) {
    const Map& before = lived(seed);
    must_hold(before);
    Map untouched = before;
    CHECK(!repair(untouched).any());  // Nothing is written where nothing is wrong.
    const auto expected = seen(before);
    REQUIRE(expected.size() > 100);
    for (const std::string_view kinds : {"x", "X", "m", "h", "n", "r", "g", "q", "V", "E", "xXmhnrgqVE"}) {
      CAPTURE(std::string(kinds));
      Map map = before;
      const auto keys_there = map.keys_of(kinds);
      for (const auto& key : keys_there) map.map.erase(key);
      const Repaired repaired = repair(map);
      if (!keys_there.empty()) CHECK(repaired.any());
      CHECK(repaired.lost == 0);
      must_hold(map);
      CHECK(seen(map) == expected);
      if (kinds.size() == 1 && std::string_view("xXmhnq").find(kinds) != std::string_view::npos) {
        CHECK(map.map == before.map);
      }
    }
  }
}

TEST_CASE("fsck: One damaged record of an account, of whatever kind, costs at most its own message") {
  const Map& before = lived(4);
  const auto expected = seen(before);
  sim::Random chance(9);
  for (const std::string_view kind : {"A", "C", "I", "J", "P", "x", "X", "m", "h", "n", "r", "g", "q", "t", "T", "V"}) {
    const auto all = kind == "A" ? std::vector<std::string>{keys::account(account).take()} : before.keys_of(kind);
    for (int round = 0; round < 12 && !all.empty(); ++round) {
      const std::string& key = all[chance.below(all.size())];
      CAPTURE(std::string(kind));
      CAPTURE(round);
      Map map = before;
      std::string& value = map.map.at(key);
      if (value.empty()) continue;
      value[chance.below(value.size())] ^= static_cast<char>(1 << chance.below(8));
      const Repaired repaired = repair(map);
      CHECK(repaired.any());
      CHECK(repaired.lost <= (kind == "J" ? 4 : 0));  // A message may be in several mailboxes.
      must_hold(map);
      CHECK(!repair(map).any());
      const auto now = seen(map);
      std::size_t other = 0;
      for (const auto& [what, state] : expected) {
        const auto found = now.find(what);
        other += found == now.end() || found->second != state;
      }
      if (kind == "x" || kind == "X" || kind == "m" || kind == "h" || kind == "n" || kind == "q" || kind == "I") {
        CHECK(now == expected);
      }
      if (kind == "P" || kind == "J") CHECK(other <= 12);
    }
  }
}

TEST_CASE("fsck: Any number of damaged and missing records: all invariants hold again, and it ends") {
  sim::Random chance(77);
  for (int round = 0; round < 120; ++round) {
    CAPTURE(round);
    Map map = lived(static_cast<std::uint64_t>(round % 4));
    std::vector<std::string> all = map.keys_of(keys::subspaces);
    const std::uint64_t damages = 1 + chance.below(round % 3 == 0 ? 400 : 12);
    for (std::uint64_t i = 0; i < damages; ++i) {
      const auto found = map.map.find(all[chance.below(all.size())]);
      if (found == map.map.end()) continue;
      if (chance.happens(400) || found->second.empty()) {
        map.map.erase(found);
      } else {
        found->second[chance.below(found->second.size())] ^= static_cast<char>(1 << chance.below(8));
      }
    }
    repair(map);
    must_hold(map);
    CHECK(!repair(map).any());
    CHECK(AccountState::load(map, account));
  }
}
