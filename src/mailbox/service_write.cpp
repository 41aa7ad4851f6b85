// Filing messages: one commit for all recipients and what goes with them.
#include <algorithm>

#include "crypto/hash.hpp"
#include "mailbox/paths.hpp"
#include "mailbox/service.hpp"
#include "mailbox/thread_keys.hpp"

namespace facteur::mailbox {

Service::Prepared Service::prepare(NewMessage message, const std::vector<Placing>& placings) const {
  Prepared prepared;
  std::optional<Bytes> whole = message.octets;
  if (message.upload) {
    prepared.upload = std::move(message.upload);
    prepared.blob = prepared.upload->finish();
    prepared.size = prepared.upload->size();
    whole = prepared.upload->whole();
    prepared.streamed = !whole;
  } else {
    prepared.blob = BlobId::from(crypto::sha256(message.octets).view());
    prepared.size = message.octets.size();
  }
  prepared.thread_keys = thread_keys(whole.value_or(Bytes(message.head)));
  prepared.structures.resize(placings.size());
  for (std::size_t i = 0; i < placings.size() && whole && structure_; ++i) {
    const bool same = i > 0 && placings[i].prefix == placings[i - 1].prefix;
    prepared.structures[i] = same ? prepared.structures[i - 1] : structure_(placings[i].prefix, *whole);
  }
  prepared.octets = std::move(message.octets);
  return prepared;
}

void Service::add_blob(store::Batch& batch, Prepared& prepared) {
  if (prepared.upload) {
    batch.add_blob(std::move(prepared.upload));
  } else {
    batch.add_blob(prepared.blob, std::move(prepared.octets));
  }
}

Result<Service::Target> Service::target(Transaction& transaction, const Placing& placing) const {
  Target target;
  auto path = checked_path(placing.path);
  const Container* container = path ? find_path(transaction, *path) : nullptr;
  if (container == nullptr && path && placing.create) {
    auto made = make_path(transaction, *path, Role::none);
    if (made) container = transaction.find(*made);  // Else (too many mailboxes): INBOX, mail is not lost for that.
  }
  if (container == nullptr || !container->selectable || container->kind != ContainerKind::mail) {
    container = transaction.child({}, "INBOX");
  }
  if (container == nullptr) return failure(Failure::Kind::temporary, "F-2122", "The account has no INBOX");
  target.mailbox = container->id;
  return target;
}

Result<Placed> Service::put(Transaction& transaction, const Prepared& prepared, std::size_t number,
                            const Placing& placing, const Target& to) const {
  const std::uint64_t size = placing.prefix.size() + prepared.size;
  if (size > UINT32_MAX) return failure(Failure::Kind::permanent, "F-2123", "The message is too large");
  Transaction::NewItem item;
  item.blob = prepared.blob;
  item.size = static_cast<std::uint32_t>(size);
  item.prefix = placing.prefix;
  item.structure = prepared.structures[number];
  item.received = placing.received.value_or(clock_.utc());
  item.flags.bits = placing.flag_bits;
  for (const auto& name : placing.keywords) {
    auto keyword = transaction.keyword(name);
    if (keyword) item.flags.keywords.push_back(*keyword);  // A message is not refused for its keywords.
  }
  std::ranges::sort(item.flags.keywords);
  const auto twice = std::ranges::unique(item.flags.keywords);
  item.flags.keywords.erase(twice.begin(), twice.end());
  item.thread_keys = prepared.thread_keys;
  auto made = transaction.make_item(std::move(item));
  if (!made) return failed(made);
  auto uid = transaction.place(*made, to.mailbox, {.deleted = (placing.flag_bits & Flags::deleted) != 0});
  if (!uid) return failed(uid);
  return Placed{to.mailbox, transaction.find(to.mailbox)->uidvalidity, *uid, *made};
}

// ---- several accounts

Task<Result<std::vector<Placed>>> Service::file(NewMessage message, std::vector<Placing> placings, store::Batch also) {
  Prepared prepared = prepare(std::move(message), placings);
  std::vector<Share> shares;
  for (std::size_t i = 0; i < placings.size(); ++i) {
    const auto same = [&](const Share& share) { return share.id == placings[i].account; };
    auto found = std::ranges::find_if(shares, same);
    if (found == shares.end()) found = shares.insert(shares.end(), Share{.id = placings[i].account});
    found->placings.push_back(i);
  }
  // Turns are always taken in this order, so that two filings never wait for each other.
  std::ranges::sort(shares, {}, &Share::id);
  const bool one_shard =
      std::ranges::all_of(shares, [&](const Share& share) { return home_of(share.id) == home_of(shares.front().id); });
  const unsigned from = shards_.current();

  std::vector<Placed> placed(placings.size());
  Result<void> done;
  std::exception_ptr bug;
  try {
    done = co_await file_shares(shares, prepared, placings, placed, std::move(also), one_shard);
  } catch (...) {
    bug = std::current_exception();
  }
  if (bug) {
    co_await release(shares);
    co_await world::hop(shards_, from);
    std::rethrow_exception(bug);
  }
  if (done && prepared.streamed && structure_) {
    for (std::size_t i = 0; i < placings.size(); ++i) {
      shards_.post(home_of(placings[i].account),
                   [this, id = placings[i].account, item = placed[i].item, blob = prepared.blob] {
                     tasks_[shards_.current()]->start(make_structure_late(id, item, blob));
                   });
    }
  }
  co_await world::hop(shards_, from);
  if (!done) co_return failed(done);
  co_return placed;
}

Task<Result<void>> Service::file_shares(std::vector<Share>& shares, Prepared& prepared,
                                        const std::vector<Placing>& placings, std::vector<Placed>& placed,
                                        store::Batch also, bool one_shard) {
  store::Batch batch;
  add_blob(batch, prepared);
  auto done = co_await take_turns(shares, one_shard);
  if (done) done = co_await build(shares, prepared, placings, placed, batch);
  if (!done) {
    co_await release(shares);
    co_return done;
  }
  batch.join(std::move(also));
  co_return co_await commit(std::move(shares), std::move(batch), one_shard);
}

Task<Result<void>> Service::take_turns(std::vector<Share>& shares, bool one_shard) {
  for (Share& share : shares) {
    co_await world::hop(shards_, home_of(share.id));
    share.account = account_here(share.id);
    share.held = co_await share.account->turn();
    // Across shards time passes between building and queueing: no commit of before may fail meanwhile.
    if (!one_shard) co_await share.account->drained();
  }
  for (bool current = false; !current;) {
    for (Share& share : shares) {
      co_await world::hop(shards_, home_of(share.id));
      auto loaded = co_await share.account->load();
      if (!loaded) co_return loaded;
    }
    // One may have broken while another was loaded.
    current = !one_shard || std::ranges::all_of(shares, [](const Share& s) { return s.account->current(); });
  }
  co_return Result<void>{};
}

Task<Result<void>> Service::build(std::vector<Share>& shares, const Prepared& prepared,
                                  const std::vector<Placing>& placings, std::vector<Placed>& placed,
                                  store::Batch& batch) {
  for (Share& share : shares) {
    co_await world::hop(shards_, home_of(share.id));
    share.transaction = std::make_unique<Transaction>(share.account->begin());
    for (const std::size_t number : share.placings) {
      auto to = target(*share.transaction, placings[number]);
      if (!to) co_return failed(to);
      auto put_there = put(*share.transaction, prepared, number, placings[number], *to);
      if (!put_there) co_return failed(put_there);
      placed[number] = *put_there;
    }
    auto effects = share.transaction->finish(batch);
    if (!effects) co_return failed(effects);
    share.effects = std::move(*effects);
  }
  co_return Result<void>{};
}

Task<void> Service::release(std::vector<Share>& shares) {
  for (Share& share : shares) {
    if (!share.account) continue;
    co_await world::hop(shards_, home_of(share.id));
    share.transaction.reset();
    share.held.release();
  }
}

Task<void> Service::carry_out(std::vector<Share> shares, store::Batch batch,
                              std::shared_ptr<Completion<Result<void>>> done) {
  auto result = co_await engine_.commit(std::move(batch));
  for (Share& share : shares) share.account->settle(share.number, share.effects, result);
  done->complete(std::move(result));
}

Task<Result<void>> Service::commit(std::vector<Share> shares, store::Batch batch, bool one_shard) {
  for (Share& share : shares) {
    co_await world::hop(shards_, home_of(share.id));
    share.number = share.account->adopt(*share.transaction, share.effects);
    batch.chains.push_back(share.account->chain());
    share.transaction.reset();
  }
  if (one_shard) {
    std::vector<Turn::Held> turns;
    for (Share& share : shares) turns.push_back(std::move(share.held));
    auto done = std::make_shared<Completion<Result<void>>>();
    tasks_[shards_.current()]->start(carry_out(std::move(shares), std::move(batch), done));
    turns.clear();  // The batch is in the queue: the next one may be built on it.
    co_return co_await *done;
  }
  // The next commit of any of these accounts must be behind this one in the log: turns are held until it is there.
  auto result = co_await engine_.commit(std::move(batch));
  for (Share& share : shares) {
    co_await world::hop(shards_, home_of(share.id));
    share.account->settle(share.number, share.effects, result);
    share.held.release();
  }
  co_return result;
}

// ---- one account

Task<Result<std::vector<Placed>>> Service::append(AccountId account, MailboxId mailbox,
                                                  std::vector<std::pair<NewMessage, Placing>> messages) {
  std::vector<Prepared> prepared;
  std::vector<Placing> placings;
  for (auto& [message, placing] : messages) {
    const std::vector<Placing> one{placing};
    prepared.push_back(prepare(std::move(message), one));
    placings.push_back(std::move(placing));
  }
  return at_home(account, append_here(account, mailbox, std::move(prepared), std::move(placings)));
}

Task<Result<std::vector<Placed>>> Service::append_here(AccountId id, MailboxId mailbox, std::vector<Prepared> prepared,
                                                       std::vector<Placing> placings) {
  const auto account = account_here(id);
  auto held = co_await account->turn();
  auto loaded = co_await account->load();
  if (!loaded) co_return failed(loaded);
  Transaction transaction = account->begin();
  const Container* container = transaction.find(mailbox);
  if (container == nullptr || !container->selectable || container->kind != ContainerKind::mail) {
    co_return failure(Failure::Kind::permanent, no_such_mailbox, "No such mailbox");
  }
  const UidValidity uidvalidity = container->uidvalidity;
  std::vector<Placed> placed;
  store::Batch batch;
  for (std::size_t i = 0; i < prepared.size(); ++i) {
    const std::string& source = placings[i].source;
    auto known = source.empty() ? Result<bool>(false) : transaction.imported(mailbox, source);
    if (!known) co_return failed(known);
    if (*known) {
      placed.push_back({mailbox, uidvalidity, Uid{}, ItemId{}});
      continue;
    }
    auto put_there = put(transaction, prepared[i], 0, placings[i], Target{.mailbox = mailbox});
    if (!put_there) co_return failed(put_there);
    if (!source.empty()) transaction.remember_import(mailbox, source, put_there->uid);
    placed.push_back(*put_there);
    add_blob(batch, prepared[i]);
  }
  if (std::ranges::all_of(placed, [](const Placed& one) { return one.uid == Uid{}; })) co_return placed;
  auto committed = co_await account->commit(transaction, std::move(batch), std::move(held));
  if (!committed) co_return failed(committed);
  for (std::size_t i = 0; i < prepared.size() && structure_; ++i) {
    if (!prepared[i].streamed || placed[i].uid == Uid{}) continue;
    tasks_[shards_.current()]->start(make_structure_late(id, placed[i].item, prepared[i].blob));
  }
  co_return placed;
}

}  // namespace facteur::mailbox
