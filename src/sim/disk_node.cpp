#include "sim/disk_node.hpp"

#include <algorithm>
#include <cstring>

namespace facteur::sim {

// Before a sector changes: keeps what it was, so that a crash can bring it back.
void Disk::Node::remember(std::uint64_t sector) {
  auto& versions = former[sector];
  const auto at = sectors.find(sector);
  // A few are enough: the synced one, and some between it and the last.
  if (versions.size() < 4) versions.push_back(at == sectors.end() ? std::string() : at->second);
}

void Disk::Node::write(std::uint64_t offset, Bytes bytes) {
  while (!bytes.empty()) {
    const std::uint64_t sector = offset / sector_bytes;
    const std::uint64_t within = offset % sector_bytes;
    const auto count = std::min<std::uint64_t>(sector_bytes - within, bytes.size());
    remember(sector);
    auto& content = sectors[sector];
    if (content.empty()) content.assign(sector_bytes, '\0');
    std::memcpy(content.data() + within, bytes.data(), count);
    bytes.remove_prefix(count);
    offset += count;
  }
  size = std::max(size, offset);
}

std::size_t Disk::Node::read(std::uint64_t offset, Room room) const {
  if (offset >= size) return 0;
  const auto count = std::min<std::uint64_t>(room.size(), size - offset);
  for (std::uint64_t done = 0; done < count;) {
    const std::uint64_t within = (offset + done) % sector_bytes;
    const auto part = std::min(sector_bytes - within, count - done);
    const auto at = sectors.find((offset + done) / sector_bytes);
    if (at == sectors.end())
      std::memset(room.data() + done, 0, part);
    else
      std::memcpy(room.data() + done, at->second.data() + within, part);
    done += part;
  }
  return count;
}

void Disk::Node::resize(std::uint64_t to) {
  if (to < size) {
    const std::uint64_t first = to / sector_bytes;
    for (auto at = sectors.lower_bound(first); at != sectors.end();) {
      remember(at->first);
      if (at->first == first && to % sector_bytes != 0) {
        std::fill(at->second.begin() + static_cast<std::ptrdiff_t>(to % sector_bytes), at->second.end(), '\0');
        ++at;
      } else {
        at = sectors.erase(at);
      }
    }
  }
  size = to;
  least_size = std::min(least_size, to);
}

void Disk::Node::synced() {
  if (lost) return;
  former.clear();
  synced_size = least_size = size;
}

void Disk::Node::change(Change what) {
  for (const auto& [name, node] : what) {
    if (node)
      entries[name] = node;
    else
      entries.erase(name);
  }
  changes.push_back(std::move(what));
}

void Disk::Node::copy_file(Node& to, Random* chance) const {
  to.sectors = sectors;
  to.size = size;
  if (chance) {
    // How this file fares: all kept, all lost, or sector by sector.
    const auto mood = lost ? 1 : chance->between(0, 3);
    for (const auto& [sector, versions] : former) {
      const std::size_t pick = mood == 0   ? versions.size()
                               : mood == 1 ? 0
                                           : static_cast<std::size_t>(chance->between(0, versions.size()));
      if (pick == versions.size()) continue;
      if (versions[pick].empty())
        to.sectors.erase(sector);
      else
        to.sectors[sector] = versions[pick];
    }
    const auto low = std::min({least_size, synced_size, size});
    const auto high = std::max(synced_size, size);
    if (mood == 1) to.size = synced_size;
    if (mood >= 2) to.size = chance->happens(500) ? chance->between(low, high) : (chance->happens(500) ? low : high);
  }
  // Octets behind the end do not come back when the file grows again.
  const auto end = to.size;
  to.size = UINT64_MAX;
  to.resize(end);
  to.former.clear();
  to.synced_size = to.least_size = to.size;
}

std::shared_ptr<Disk::Node> Disk::Node::copy(Random* chance) const {
  auto to = std::make_shared<Node>();
  to->directory = directory;
  if (!directory) {
    copy_file(*to, chance);
    return to;
  }
  auto kept = chance ? synced_entries : entries;
  if (chance) {
    const auto mood = chance->between(0, 3);
    for (const auto& change : changes) {
      if (mood == 1 || (mood >= 2 && chance->happens(500))) continue;
      for (const auto& [name, node] : change) {
        if (node)
          kept[name] = node;
        else
          kept.erase(name);
      }
    }
  }
  for (const auto& [name, node] : kept) to->entries[name] = node->copy(chance);
  to->synced_entries = to->entries;
  return to;
}

}  // namespace facteur::sim
