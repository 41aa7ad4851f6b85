#include "mailbox/account_state.hpp"

#include <algorithm>

#include "base/ascii.hpp"
#include "mailbox/keys.hpp"
#include "mailbox/mailboxes.hpp"
#include "mailbox/paths.hpp"

namespace facteur::mailbox {

Result<AccountState> AccountState::load(const KeyValue& from, AccountId account) {
  AccountState state;
  auto value = from.get(keys::account(account));
  if (!value) return failed(value);
  if (!*value) return failure(Failure::Kind::permanent, no_such_account, "No such account");
  auto record = decode<AccountRecord>(**value);
  if (!record) return failed(record);
  state.record = *record;

  const auto prefix = [account](char subspace) { return keys::of(subspace, account).take(); };
  const auto each = [&](char subspace, auto use) {
    const std::string first = prefix(subspace);
    return from.scan(first, store::behind(first), [&](Bytes key, Bytes stored) {
      if (!use(key.substr(first.size()), stored)) state.damaged.emplace_back(key);
      return true;
    });
  };
  auto read = each('C', [&](Bytes, Bytes stored) {
    auto container = decode<Container>(stored);
    if (!container) return false;
    if (container->kind != ContainerKind::trash) {
      state.names[{container->parent, fold(container->name)}] = container->id;
    }
    state.containers.emplace(container->id, std::move(*container));
    return true;
  });
  if (!read) return failed(read);
  read = each('w', [&](Bytes key, Bytes stored) {
    const std::uint16_t number = store::Parser(key).u16();
    if (state.keywords.size() <= number) state.keywords.resize(number + 1u);
    state.keywords[number] = std::string(stored);
    state.keyword_numbers.emplace(ascii::lower(stored), number);
    return true;
  });
  if (!read) return failed(read);
  read = each('S', [&](Bytes key, Bytes) {
    state.subscriptions.emplace(key);
    return true;
  });
  if (!read) return failed(read);
  read = each('F', [&](Bytes, Bytes stored) {
    auto run = decode_flag_run(stored);
    if (!run) return false;
    const MailboxId mailbox = run->mailbox;
    state.runs[mailbox].push_back(std::make_shared<const FlagRun>(std::move(*run)));
    return true;
  });
  if (!read) return failed(read);
  auto placing = read_placement_runs(from, account, &state.damaged);
  if (!placing) return failed(placing);
  state.placing = std::move(*placing);
  return state;
}

void AccountState::apply(const Effects& effects) {
  if (!effects.any) return;
  record = effects.record;
  const auto forget_name = [&](const Container& container) {
    const auto found = names.find({container.parent, fold(container.name)});
    if (found != names.end() && found->second == container.id) names.erase(found);
  };
  for (const MailboxId id : effects.removed) {
    const auto found = containers.find(id);
    if (found == containers.end()) continue;
    forget_name(found->second);
    containers.erase(found);
    runs.erase(id);
  }
  std::vector<const Container*> renamed;
  for (const Container& container : effects.containers) {
    const auto [place, added] = containers.try_emplace(container.id);
    const bool named = added || place->second.parent != container.parent || place->second.name != container.name;
    if (!added && named) forget_name(place->second);
    if (named) renamed.push_back(&container);
    place->second = container;
  }
  for (const Container* container : renamed) {  // Behind all erasures: names may have been exchanged.
    if (container->kind != ContainerKind::trash) names[{container->parent, fold(container->name)}] = container->id;
  }
  for (const auto& [number, name] : effects.keywords) {
    if (keywords.size() <= number) keywords.resize(number + 1u);
    keywords[number] = name;
    keyword_numbers.emplace(ascii::lower(name), number);
  }
  for (const RowChange& change : effects.rows) {
    if (change.run) runs[change.mailbox].push_back(change.run);
  }
  for (const auto& [mailbox, first] : effects.carried) {
    const auto waiting = runs.find(mailbox);
    if (waiting == runs.end()) continue;
    std::erase_if(waiting->second, [first](const auto& run) { return run->first == first; });
    if (waiting->second.empty()) runs.erase(waiting);
  }
  if (effects.placed && *effects.placed) placing.front() = *effects.placed;
  if (effects.placed && !*effects.placed) placing.erase(placing.begin());
  if (effects.placing) placing.push_back(effects.placing);
  for (const auto& [path_text, on] : effects.subscriptions) {
    if (on) {
      subscriptions.insert(path_text);
    } else {
      subscriptions.erase(path_text);
    }
  }
}

const Container* AccountState::find(MailboxId mailbox) const {
  const auto found = containers.find(mailbox);
  return found == containers.end() ? nullptr : &found->second;
}

const Container* AccountState::child(MailboxId parent, std::string_view name) const {
  const auto found = names.find({parent, fold(name)});
  return found == names.end() ? nullptr : find(found->second);
}

const Container* AccountState::find_path(std::string_view path_text) const {
  const Container* at = nullptr;
  for (const std::string_view level : levels(path_text)) {
    at = child(at ? at->id : MailboxId{}, level);
    if (at == nullptr) return nullptr;
  }
  return at;
}

std::string AccountState::path(const Container& container) const {
  std::string text = container.name;
  const Container* at = &container;
  for (std::size_t depth = 0; at->parent && depth < max_depth; ++depth) {
    at = find(at->parent);
    if (at == nullptr) break;
    text.insert(0, at->name + "/");
  }
  return text;
}

bool AccountState::has_children(MailboxId mailbox) const {
  const auto next = names.lower_bound({mailbox, std::string()});
  return next != names.end() && next->first.first == mailbox;
}

}  // namespace facteur::mailbox
