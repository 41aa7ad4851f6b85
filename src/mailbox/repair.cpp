#include "mailbox/repair.hpp"

#include <algorithm>

#include "mailbox/account_state.hpp"
#include "mailbox/paths.hpp"
#include "mailbox/repairer.hpp"
#include "mailbox/transaction.hpp"

namespace facteur::mailbox {

Result<Repaired> repair_account(Layer& layer, AccountId account, const RepairOptions& options) {
  return Repairer(layer, account, options).run();
}

Result<void> carry_all_runs(Layer& layer, AccountId account) {
  auto state = AccountState::load(layer, account);
  if (!state) return failed(state);
  while (!state->placing.empty()) {
    Transaction transaction(account, *state, layer, {});
    auto lost = transaction.carry_placements(SIZE_MAX);
    store::Batch batch;
    auto effects = lost ? transaction.finish(batch) : Result<Effects>(failed(lost));
    if (!effects) return failed(effects);
    state->apply(*effects);
    layer.take(transaction.take_layer(), 1);
  }
  while (!state->runs.empty()) {
    const auto [mailbox, waiting] = *state->runs.begin();
    const std::size_t before = waiting.size();
    Transaction transaction(account, *state, layer, {});
    auto next = transaction.carry_some(mailbox, Uid{}, SIZE_MAX);
    store::Batch batch;
    auto effects = next ? transaction.finish(batch) : Result<Effects>(failed(next));
    if (!effects) return failed(effects);
    state->apply(*effects);
    layer.take(transaction.take_layer(), 1);
    const auto left = state->runs.find(mailbox);
    if (left == state->runs.end() || left->second.size() < before) continue;
    for (const auto& run : left->second) layer.remove(keys::flag_run(account, mailbox, run->first).take());
    state->runs.erase(left);
  }
  return {};
}

Result<Repaired> Repairer::run() {
  for (const auto step : {&Repairer::read_account, &Repairer::read_containers}) {
    if (auto done = (this->*step)(); !done) return failed(done);
  }
  if (!exists_) return std::move(repaired_);
  if (auto carried = carry_all_runs(layer_, account_); !carried) return failed(carried);
  // Carrying has written containers and the account.
  if (auto read = read_account(); !read) return failed(read);
  if (auto read = read_containers(); !read) return failed(read);
  for (const auto step : {&Repairer::read_items, &Repairer::read_placements}) {
    if (auto done = (this->*step)(); !done) return failed(done);
  }
  recover_items();
  if (auto done = recover_placements(); !done) return failed(done);
  agree();
  if (auto done = read_tombstones(); !done) return failed(done);
  number_anew();
  if (auto done = join_threads(); !done) return failed(done);
  count();
  for (const auto step : {&Repairer::write, &Repairer::pack}) {
    if (auto done = (this->*step)(); !done) return failed(done);
  }
  return std::move(repaired_);
}

// ---- reading and writing

Result<void> Repairer::each(char subspace, const std::function<void(store::Parser key, Bytes value)>& use) const {
  const auto first = keys::of(subspace, account_).take();
  return layer_.scan(first, store::behind(first), [&](Bytes key, Bytes value) {
    use(store::Parser(key.substr(first.size())), value);
    return true;
  });
}

void Repairer::put(std::string key, std::string value) {
  ++repaired_.records[key.front()];
  layer_.put(std::move(key), std::move(value));
}

void Repairer::remove(std::string key) {
  ++repaired_.records[key.front()];
  layer_.remove(std::move(key));
}

Result<void> Repairer::reconcile(char subspace, const Wanted& wanted) {
  std::vector<std::string> superfluous;
  std::set<std::string_view> right;
  const auto first = keys::of(subspace, account_).take();
  auto scanned = layer_.scan(first, store::behind(first), [&](Bytes key, Bytes value) {
    const auto found = wanted.find(std::string(key));
    if (found == wanted.end()) {
      superfluous.emplace_back(key);
    } else if (found->second == value) {
      right.insert(found->first);
    }
    return true;
  });
  if (!scanned) return scanned;
  for (const auto& [key, value] : wanted) {
    if (!right.contains(key)) put(key, value);
  }
  for (auto& key : superfluous) remove(std::move(key));
  return {};
}

// ---- the account

Result<void> Repairer::read_account() {
  auto value = layer_.get(keys::account(account_));
  if (!value) return failed(value);
  auto record = *value ? decode<AccountRecord>(**value) : Result<AccountRecord>(AccountRecord());
  if (*value && record) {
    record_ = *record;
    exists_ = true;
    return {};
  }
  // Numbers must not be given out twice: those of what was removed may be gone without a trace, so there is a gap.
  constexpr std::uint64_t gap = 1'000'000;
  record_ = AccountRecord{.replica = options_.replica};
  bool any = value->has_value();
  const auto seen = [&](std::uint64_t modseq, std::uint64_t id) {
    any = true;
    record_.modseq = std::max(record_.modseq, modseq);
    record_.next_id = std::max(record_.next_id, id);
  };
  auto read = each_record<Container>('C', [&](store::Parser, Container c) {
    seen(std::max(c.high, c.changed()), c.id.value);
    record_.uidvalidity = std::max(record_.uidvalidity, c.uidvalidity.value);
    if (c.kind == ContainerKind::trash) record_.trash = c.id.value;
  });
  if (read)
    read = each_record<Item>('I', [&](store::Parser, Item i) { seen(i.modseq, std::max(i.id.value, i.thread.value)); });
  if (read) read = each_record<Placement>('P', [&](store::Parser, Placement p) { seen(p.modseq, p.mid.value); });
  if (read)
    read = each('x', [&](store::Parser key, Bytes) {
      key.u48();
      seen(key.u48(), 0);
    });
  if (read)
    read = each('t', [&](store::Parser key, Bytes) {
      key.u48();
      seen(key.u48(), 0);
    });
  for (const char subspace : {'X', 'T'}) {
    if (read)
      read = each(subspace, [&](store::Parser key, Bytes) {
        key.u8();
        seen(key.u48(), 0);
      });
  }
  if (!read) return read;
  exists_ = any;
  if (!any) return {};
  record_.modseq += gap;
  record_.next_id += gap;
  record_.uidvalidity += 1000;
  record_.floor = record_.modseq;
  put(keys::account(account_).take(), encode(record_));
  return {};
}

// ---- containers

Result<void> Repairer::read_containers() {
  containers_.clear();
  std::set<MailboxId> known;
  auto read = each('C', [&](store::Parser key, Bytes value) {
    const MailboxId id(key.u48());
    auto container = decode<Container>(value);
    if (!container || container->id != id) return;
    known.insert(id);
    containers_.emplace(id, std::move(*container));
  });
  if (!read) return read;
  return recover_containers(known);
}

// A container that is lost has its name in n, and its messages in P.
Result<void> Repairer::recover_containers(const std::set<MailboxId>& known) {
  std::map<MailboxId, Container> lost;
  std::set<std::pair<MailboxId, std::string>> names;  // Of those that are known: their entries mean nobody else.
  for (const auto& [id, c] : containers_) names.emplace(c.parent, fold(c.name));
  const auto of = [&](MailboxId id) -> Container* { return known.contains(id) ? nullptr : &lost[id]; };
  auto read = each('n', [&](store::Parser key, Bytes value) {
    const MailboxId parent(key.u48());
    const std::string name(key.rest());
    const MailboxId id(store::Parser(value).u48());
    if (names.contains({parent, name}) || id.value > record_.next_id) return;
    Container* c = of(id);
    if (c == nullptr) return;
    c->parent = parent;
    c->name = name;
  });
  if (read) read = each('C', [&](store::Parser key, Bytes) { of(MailboxId(key.u48())); });
  for (const char subspace : {'P', 't'}) {
    if (read)
      read = each(subspace, [&](store::Parser key, Bytes value) {
        Container* c = of(MailboxId(key.u48()));
        if (c == nullptr) return;
        std::uint32_t uid = 0;
        if (subspace == 'P') {
          uid = key.u32();
          if (const auto placed = decode<Placement>(value); placed && placed->origin) c->kind = ContainerKind::trash;
        } else {
          c->high = std::max(c->high, key.u48());
          if (const auto tombstone = decode<PlacementTombstone>(value)) uid = tombstone->uid.value;
        }
        c->uidnext = std::max(c->uidnext, uid + 1);
      });
  }
  if (!read) return read;
  for (auto& [id, c] : lost) {
    c.id = id;
    if (c.kind == ContainerKind::trash) {
      c.name = "\x01";
      record_.trash = id.value;
    } else if (c.name.empty()) {
      c.name = "recovered-" + std::to_string(id.value);
    }
    const bool inbox = !c.parent && c.name == "inbox" && c.kind == ContainerKind::mail;
    if (inbox) c.name = "INBOX", c.role = Role::inbox;
    // Its old UIDVALIDITY is not known: clients read it anew.
    c.uidvalidity = UidValidity(++record_.uidvalidity);
    c.created = c.modseq = c.counts_modseq = next_modseq();
    c.high = c.floor = std::max(c.high, c.modseq);
    put(keys::container(account_, id).take(), encode(c));
    containers_.emplace(id, std::move(c));
  }
  if (!lost.empty()) put(keys::account(account_).take(), encode(record_));
  return {};
}

}  // namespace facteur::mailbox
