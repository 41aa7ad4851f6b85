// A mailbox service on an engine in memory, for tests.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mailbox/mailboxes.hpp"
#include "sim/random.hpp"
#include "store/memory_engine.hpp"
#include "store/stage_test.hpp"

namespace facteur::mailbox {

inline constexpr AccountId anne{7};
inline constexpr AccountId bert{8};

class Stage {
 public:
  explicit Stage(std::uint64_t seed = 1, StructureMaker structure = {}, BulkSizes sizes = {})
      : shards(seed),
        clock(shards),
        random(seed),
        engine(store::make_memory_engine({.shards = shards, .clock = clock})),
        structure_(std::move(structure)),
        sizes_(sizes) {
    restart();
    create(anne);
    create(bert);
  }
  ~Stage() { shards.run(); }

  void create(AccountId account) { REQUIRE(run(mailboxes->create_account(account))); }
  // Everything in memory is forgotten; what is durable stays.
  void restart() {
    shards.run();
    mailboxes = make_mailboxes(*engine, shards, clock, random, observe::Scope(sink), structure_, sizes_);
  }

  // Runs a call from shard 1 to its end.
  template <class T>
  T run(Task<T> task) {
    auto result = store::stage::finish(shards, std::move(task), 1);
    REQUIRE(result);
    return std::move(*result);
  }
  template <class T>
  T get(Task<Result<T>> task) {
    auto result = run(std::move(task));
    if (!result)
      FAIL_CHECK(std::string(result.error().code) << ' ' << result.error().text << ' ' << result.error().cause);
    REQUIRE(result);
    return std::move(*result);
  }
  std::string_view code(auto task) {
    auto result = run(std::move(task));
    return result ? std::string_view("-") : result.error().code;
  }

  MailboxSummary box(AccountId account, std::string path) {
    auto found = get(mailboxes->find(account, std::move(path)));
    REQUIRE(found);
    return *found;
  }
  std::shared_ptr<const View> view(AccountId account, std::string path) {
    return get(mailboxes->view(account, box(account, std::move(path)).id));
  }
  Placed deliver(AccountId account, std::string octets, Placing placing = {}) {
    placing.account = account;
    NewMessage message;
    message.octets = std::move(octets);
    std::vector<Placing> placings;
    placings.push_back(std::move(placing));
    return get(mailboxes->file(std::move(message), std::move(placings))).front();
  }
  std::vector<Placed> deliver_many(AccountId account, MailboxId mailbox, std::size_t count) {
    std::vector<std::pair<NewMessage, Placing>> messages(count);
    for (auto& [message, placing] : messages) {
      message.octets = "Message-ID: <" + std::to_string(++made_) + "@example.org>\r\n\r\nbody\r\n";
    }
    return get(mailboxes->append(account, mailbox, std::move(messages)));
  }
  std::string text(AccountId account, const Row& row) {
    const auto found = get(mailboxes->text(account, row));
    return found.prefix + found.content.text();
  }

  observe::NullSink sink;
  store::stage::Shards shards;
  store::stage::Clock clock;
  sim::Random random;
  std::unique_ptr<store::MemoryEngine> engine;
  std::unique_ptr<Mailboxes> mailboxes;

 private:
  StructureMaker structure_;
  BulkSizes sizes_;
  std::uint64_t made_ = 0;
};

// "1:seen 3:deleted,work"
inline std::string shown(const View& view, const std::vector<std::string>& keywords = {}) {
  std::string text;
  for (std::size_t i = 0; i < view.size(); ++i) {
    const Row row = view.row(i);
    if (i > 0) text += ' ';
    text += std::to_string(row.uid.value);
    char mark = ':';
    const auto add = [&](std::string_view name) {
      text += std::exchange(mark, ',');
      text += name;
    };
    if (row.flags.has(Flags::seen)) add("seen");
    if (row.flags.has(Flags::answered)) add("answered");
    if (row.flags.has(Flags::flagged)) add("flagged");
    if (row.flags.has(Flags::draft)) add("draft");
    if (row.flags.has(Flags::deleted)) add("deleted");
    for (const auto keyword : row.flags.keywords) add(keyword < keywords.size() ? keywords[keyword] : "?");
  }
  return text;
}

inline std::vector<Uid> uids(std::initializer_list<std::uint32_t> numbers) {
  std::vector<Uid> result;
  for (const auto number : numbers) result.emplace_back(number);
  return result;
}
inline std::vector<Uid> range(std::uint32_t first, std::uint32_t last) {
  std::vector<Uid> result;
  for (auto number = first; number <= last; ++number) result.emplace_back(number);
  return result;
}

}  // namespace facteur::mailbox
