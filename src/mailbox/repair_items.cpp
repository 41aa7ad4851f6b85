// Items and placements in a repair: what one of them has lost, the others know.
#include <algorithm>

#include "mailbox/repairer.hpp"

namespace facteur::mailbox {
namespace {

ItemKind kind_in(ContainerKind kind) {
  switch (kind) {
    case ContainerKind::calendar:
      return ItemKind::event;
    case ContainerKind::address_book:
      return ItemKind::contact;
    case ContainerKind::tasks:
      return ItemKind::task;
    case ContainerKind::mail:
    case ContainerKind::trash:
      break;
  }
  return ItemKind::email;
}

Flags without_deleted(Flags flags) {
  flags.bits &= static_cast<std::uint8_t>(~Flags::deleted);
  return flags;
}

}  // namespace

// ---- reading

Result<void> Repairer::read_items() {
  auto read = each_record<Item>('I', [&](store::Parser key, Item item) {
    if (ItemId(key.u48()) == item.id) items_.emplace(item.id, std::move(item));
  });
  if (!read) return read;
  return each_record<ContentRecord>(
      'J', [&](store::Parser key, ContentRecord content) { contents_.emplace(ItemId(key.u48()), std::move(content)); });
}

Result<void> Repairer::read_placements() {
  return each('P', [&](store::Parser key, Bytes value) {
    const MailboxId mailbox(key.u48());
    const Place place{mailbox, Uid(key.u32())};
    auto placement = decode<Placement>(value);
    if (placement && containers_.contains(mailbox)) {
      placements_.emplace(place, std::move(*placement));
    } else {
      damaged_.insert(place);
    }
  });
}

// ---- lost records

// An item that cannot be read, from its placements and its content record.
void Repairer::recover_items() {
  std::map<ItemId, Item> lost;
  for (const auto& [place, placed] : placements_) {
    if (items_.contains(placed.item)) continue;
    const auto content = contents_.find(placed.item);
    if (content == contents_.end()) continue;  // Its blob is not known here: agree() lets it go.
    const Container& container = containers_.at(place.first);
    Item& item = lost[placed.item];
    item.id = placed.item;
    item.kind = kind_in(container.kind);
    item.hidden = container.kind == ContainerKind::trash;
    item.blob = content->second.blob;
    item.size = placed.size;
    item.received = placed.received;
    item.thread = placed.thread;
    if (placed.modseq >= item.modseq) item.flags = without_deleted(placed.flags);
    item.modseq = std::max(item.modseq, placed.modseq);
    item.created = item.created == 0 ? placed.created : std::min(item.created, placed.created);
    item.places.push_back(place);
  }
  items_.merge(lost);
}

// A placement that cannot be read, from its item, x and m.
Result<void> Repairer::recover_placements() {
  std::map<Place, Item*> lost;
  for (auto& [id, item] : items_) {
    for (const auto& place : item.places) {
      if (!placements_.contains(place) && containers_.contains(place.first)) lost.emplace(place, &item);
    }
  }
  if (lost.empty()) return {};
  std::map<Place, std::pair<std::uint64_t, std::uint64_t>> changes;
  std::map<Place, MessageId> messages;
  auto read = each('x', [&](store::Parser key, Bytes value) {
    const MailboxId mailbox(key.u48());
    const std::uint64_t modseq = key.u48();
    if (const auto change = decode<PlacementChange>(value)) changes[{mailbox, change->uid}] = {modseq, change->created};
  });
  if (read)
    read = each('m', [&](store::Parser key, Bytes value) {
      store::Parser in(value);
      const MailboxId mailbox(in.u48());
      messages[{mailbox, Uid(in.u32())}] = MessageId(key.u48());
    });
  if (!read) return read;
  for (const auto& [place, item] : lost) {
    Placement placed;
    placed.item = item->id;
    placed.flags = item->flags;  // \Deleted of it is lost: it is safe not to have it.
    placed.size = item->size;
    placed.received = item->received;
    placed.thread = item->thread;
    if (containers_.at(place.first).kind == ContainerKind::trash) {
      placed.modseq = placed.created = placed.cn = placed.read_cn = item->modseq;
      placed.origin = Placement::Origin{.mailbox = {}, .uid = {}, .at = options_.now, .path = "INBOX"};
    } else {
      const auto change = changes.find(place);
      const bool known = change != changes.end();
      placed.modseq = placed.cn = placed.read_cn = known ? change->second.first : next_modseq();
      placed.created = known ? change->second.second : placed.modseq;
      const auto message = messages.find(place);
      placed.mid = message != messages.end() ? message->second : MessageId(++record_.next_id);
    }
    placements_.emplace(place, std::move(placed));
    damaged_.erase(place);
  }
  return {};
}

// ---- agreement

// A message that nothing is known of any more: for its readers it is expunged.
void Repairer::lose(const Place& place) {
  const auto container = containers_.find(place.first);
  const auto found = placements_.find(place);
  ++repaired_.lost;
  if (container != containers_.end() && container->second.kind != ContainerKind::trash) {
    PlacementTombstone tombstone{
        .uid = place.second, .mid = {}, .item = {}, .created = 0, .at = options_.now, .name = {}};
    if (found != placements_.end()) {
      tombstone.mid = found->second.mid;
      tombstone.item = found->second.item;
      tombstone.created = found->second.created;
      tombstone.name = found->second.name;
    }
    const std::uint64_t modseq = next_modseq();
    container->second.high = modseq;
    tombstones_.emplace(keys::tombstone(account_, place.first, modseq).take(), encode(tombstone));
  }
  if (container != containers_.end()) {
    container->second.uidnext = std::max(container->second.uidnext, place.second.value + 1);
  }
  if (found != placements_.end()) placements_.erase(found);
}

void Repairer::touch(const Place& place) {
  Placement& placed = placements_.at(place);
  placed.modseq = placed.cn = placed.read_cn = next_modseq();
  Item& item = items_.at(placed.item);
  item.modseq = std::max(item.modseq, placed.modseq);
}

void Repairer::agree() {
  for (const Place& place : damaged_) lose(place);
  damaged_.clear();
  std::map<ItemId, std::vector<Place>> places;
  for (const auto& [place, placed] : placements_) places[placed.item].push_back(place);
  std::vector<Place> gone;
  for (auto& [id, where] : places) {
    const auto item = items_.find(id);
    const bool readable = item != items_.end() && contents_.contains(id) && contents_.at(id).blob == item->second.blob;
    std::set<MailboxId> taken;
    std::vector<Place> kept;
    // In a container where it stands twice, the place that the item itself knows stays.
    std::ranges::sort(where, {}, [&](const Place& place) {
      const bool known = readable && item->second.uid_in(place.first) == place.second;
      return std::pair(!known, place);
    });
    const bool elsewhere = std::ranges::any_of(
        where, [&](const Place& place) { return containers_.at(place.first).kind != ContainerKind::trash; });
    for (const Place& place : where) {
      const bool trashed = containers_.at(place.first).kind == ContainerKind::trash;
      if (!readable || (trashed && elsewhere) || !taken.insert(place.first).second) {
        gone.push_back(place);
      } else {
        kept.push_back(place);
      }
    }
    if (readable && item->second.places != kept) {
      const bool same = std::ranges::is_permutation(item->second.places, kept);
      if (!same) item->second.places = kept;
    }
    if (readable) item->second.hidden = !elsewhere;
  }
  for (const Place& place : gone) lose(place);
  std::erase_if(items_, [&](const auto& entry) {
    const auto& item = entry.second;
    const bool somewhere = std::ranges::any_of(item.places, [&](const Place& place) {
      const auto placed = placements_.find(place);
      return placed != placements_.end() && placed->second.item == item.id;
    });
    return !somewhere;
  });
  for (auto& [place, placed] : placements_) {
    Item& item = items_.at(placed.item);
    const Flags flags = without_deleted(placed.flags);
    if (flags != item.flags && placed.modseq > item.modseq) {
      item.flags = flags;
      item.modseq = placed.modseq;
    }
  }
  for (auto& [place, placed] : placements_) {
    const Item& item = items_.at(placed.item);
    Flags flags = item.flags;
    flags.bits |= placed.flags.bits & Flags::deleted;
    const bool same = flags == placed.flags && placed.size == item.size && placed.received == item.received &&
                      placed.thread == item.thread;
    if (same) continue;
    placed.flags = std::move(flags);
    placed.size = item.size;
    placed.received = item.received;
    placed.thread = item.thread;
    if (containers_.at(place.first).kind != ContainerKind::trash) touch(place);
  }
}

void Repairer::number_anew() {
  std::set<std::uint64_t> modseqs, change_numbers, messages;
  for (const auto& [id, container] : containers_) {
    if (container.kind != ContainerKind::trash) change_numbers.insert(container.modseq);
  }
  for (auto& [place, placed] : placements_) {
    Container& container = containers_.at(place.first);
    container.uidnext = std::max(container.uidnext, place.second.value + 1);
    if (container.kind == ContainerKind::trash) continue;
    bool fine = placed.modseq != 0 && placed.modseq <= record_.modseq && modseqs.insert(placed.modseq).second;
    fine = fine && placed.cn <= placed.modseq && placed.read_cn <= placed.modseq && placed.created <= placed.modseq;
    fine = fine && change_numbers.insert(placed.cn).second;
    fine = fine && (placed.read_cn == placed.cn || change_numbers.insert(placed.read_cn).second);
    if (placed.mid.value == 0 || placed.mid.value > record_.next_id || !messages.insert(placed.mid.value).second) {
      placed.mid = MessageId(++record_.next_id);
      messages.insert(placed.mid.value);
      fine = false;
    }
    if (!fine) {
      placed.created = std::min(placed.created, placed.modseq);
      touch(place);
      modseqs.insert(placed.modseq);
      change_numbers.insert(placed.cn);
    }
    container.high = std::max(container.high, placed.modseq);
  }
  // Objects of one type have a modseq of their own each.
  std::map<Type, std::set<std::uint64_t>> of_type;
  for (auto& [id, item] : items_) {
    if (item.hidden) continue;
    auto& used = of_type[type_of(item.kind)];
    item.created = std::min(item.created, item.modseq);
    if (item.modseq == 0 || item.modseq > record_.modseq || !used.insert(item.modseq).second) {
      item.modseq = next_modseq();
      used.insert(item.modseq);
    }
  }
}

}  // namespace facteur::mailbox
