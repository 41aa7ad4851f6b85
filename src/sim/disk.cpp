#include "sim/disk.hpp"

#include <algorithm>

#include "sim/disk_node.hpp"

namespace facteur::sim {

namespace {

std::unexpected<Failure> no_such_file(std::string_view path) {
  return failure(Failure::Kind::permanent, "F-1201", "No such file", std::string(path));
}

bool valid_path(std::string_view path) {
  return !path.starts_with('/') && path.find("..") == std::string_view::npos && path.find('\0') == path.npos;
}

std::uint64_t sum(std::span<const Bytes> pieces) {
  std::uint64_t total = 0;
  for (const Bytes piece : pieces) total += piece.size();
  return total;
}

class OpenFile : public world::File {
 public:
  OpenFile(std::shared_ptr<Disk::Life> machine, std::shared_ptr<Disk::Node> node, bool writable)
      : life_(std::move(machine)), node_(std::move(node)), writable_(writable) {}

  Result<std::uint64_t> size() override {
    const std::lock_guard guard(life_->lock);
    if (auto alive = life_->alive(); !alive) return failed(alive);
    return node_->size;
  }

  Result<std::size_t> read_at(std::uint64_t offset, Room room) override {
    const std::lock_guard guard(life_->lock);
    if (auto alive = life_->alive(); !alive) return failed(alive);
    if (is_bad(offset, room.size())) {
      return failure(Failure::Kind::temporary, "F-1202", "Disk error", "EIO (simulated) in a read");
    }
    return node_->read(offset, room);
  }

  Result<void> write_at(std::uint64_t offset, std::span<const Bytes> pieces) override {
    const std::lock_guard guard(life_->lock);
    if (auto ok = writable(); !ok) return ok;
    const std::uint64_t end = offset + sum(pieces);
    const std::uint64_t more = end > node_->size ? end - node_->size : 0;
    const auto write = [&] {
      std::uint64_t at = offset;
      for (const Bytes piece : pieces) {
        node_->write(at, piece);
        at += piece.size();
      }
    };
    if (auto ok = life_->operation(write); !ok) {
      if (std::exchange(life_->short_write, false)) write_what_fits(offset, pieces, end - offset - (end - offset) / 2);
      return ok;
    }
    if (!life_->fits(more)) {
      write_what_fits(offset, pieces, UINT64_MAX);
      return failure(Failure::Kind::temporary, "F-1203", "No room on the disk", "ENOSPC (simulated)");
    }
    life_->used_bytes += more;
    write();
    return {};
  }

  Result<void> sync() override {
    const std::lock_guard guard(life_->lock);
    if (auto alive = life_->alive(); !alive) return alive;
    auto ok = life_->operation([this] { node_->synced(); });
    if (ok)
      node_->synced();
    else if (!life_->dead)
      node_->lost = true;  // The pages are clean now, and not on the disk.
    return ok;
  }

  Result<void> truncate(std::uint64_t size) override {
    const std::lock_guard guard(life_->lock);
    if (auto ok = writable(); !ok) return ok;
    const auto cut = [&] { node_->resize(size); };
    if (auto ok = life_->operation(cut); !ok) return ok;
    const auto before = node_->size;
    if (size > before && !life_->fits(size - before)) {
      return failure(Failure::Kind::temporary, "F-1204", "No room on the disk", "ENOSPC (simulated)");
    }
    cut();
    life_->used_bytes = life_->used_bytes - before + size;
    return {};
  }

  Result<void> reserve(std::uint64_t size) override {
    {
      const std::lock_guard guard(life_->lock);
      if (size <= node_->size) return life_->alive();
    }
    return truncate(size);
  }

  Bytes map(std::uint64_t offset, std::size_t length) override {
    const std::lock_guard guard(life_->lock);
    if (life_->dead || length == 0 || offset + length > node_->size || is_bad(offset, length)) return {};
    auto& copy = mapped_[{offset, length}];
    if (copy.size() != length) {
      copy.resize(length);
      node_->read(offset, Room(copy.data(), copy.size()));
    }
    return copy;
  }

 private:
  Result<void> writable() const {
    if (auto alive = life_->alive(); !alive) return alive;
    if (!writable_) return failure(Failure::Kind::permanent, "F-1205", "The file is open for reading only", "EBADF");
    return {};
  }
  bool is_bad(std::uint64_t offset, std::uint64_t length) const {
    return std::ranges::any_of(life_->bad, [&](const auto& range) {
      return range.node.lock() == node_ && offset < range.to && offset + length > range.from;
    });
  }
  // A full disk takes the beginning of a write, as the real one does.
  void write_what_fits(std::uint64_t offset, std::span<const Bytes> pieces, std::uint64_t most) {
    for (const Bytes piece : pieces) {
      const auto growth_free = node_->size > offset ? node_->size - offset : 0;
      const auto room =
          std::min(most, growth_free + life_->total_bytes - std::min(life_->total_bytes, life_->used_bytes));
      const auto part = piece.substr(0, room);
      const auto before = node_->size;
      node_->write(offset, part);
      life_->used_bytes += node_->size - before;
      offset += part.size();
      most -= part.size();
      if (part.size() < piece.size()) return;
    }
  }

  std::shared_ptr<Disk::Life> life_;
  std::shared_ptr<Disk::Node> node_;
  bool writable_;
  std::map<std::pair<std::uint64_t, std::size_t>, std::string> mapped_;
};

std::uint64_t bytes_below(const Disk::Node& node) {
  std::uint64_t total = node.size;
  for (const auto& [name, child] : node.entries) total += bytes_below(*child);
  return total;
}

void list_files(const Disk::Node& node, const std::string& prefix, std::vector<std::string>& out) {
  for (const auto& [name, child] : node.entries) {
    if (child->directory)
      list_files(*child, prefix + name + "/", out);
    else
      out.push_back(prefix + name);
  }
}

}  // namespace

Result<void> Disk::Life::alive() const {
  if (dead) return failure(Failure::Kind::closed, "F-1206", "The machine has crashed", "simulated crash");
  return {};
}

Result<void> Disk::Life::operation(const std::function<void()>& happened) {
  if (auto ok = alive(); !ok) return ok;
  ++operations;
  if (survey && operations >= survey_at) {
    Random draw(survey_chance);
    std::exchange(survey, nullptr)(Image(root->copy(&draw)));
  }
  if (crash_at != 0 && operations >= crash_at) {
    if (chance.happens(500)) happened();
    dead = true;
    if (auto tell = std::exchange(notify, nullptr)) tell();
    return alive();
  }
  if (fail_count != 0 && operations >= fail_from) {
    --fail_count;
    short_write = fail_with == Error::short_write;
    if (fail_with == Error::no_space) {
      return failure(Failure::Kind::temporary, "F-1207", "No room on the disk", "ENOSPC (simulated)");
    }
    return failure(Failure::Kind::temporary, "F-1208", "Disk error", "EIO (simulated)");
  }
  return {};
}

std::shared_ptr<Disk::Node> Disk::Life::find(std::string_view path) const {
  auto node = root;
  while (!path.empty() && node) {
    const auto slash = path.find('/');
    const auto name = path.substr(0, slash);
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
    if (name.empty() || name == ".") continue;
    const auto at = node->entries.find(name);
    node = at == node->entries.end() ? nullptr : at->second;
  }
  return node;
}

std::pair<std::shared_ptr<Disk::Node>, std::string> Disk::Life::parent(std::string_view path) const {
  while (path.ends_with('/')) path.remove_suffix(1);
  const auto slash = path.rfind('/');
  auto folder = slash == std::string_view::npos ? root : find(path.substr(0, slash));
  if (folder && !folder->directory) folder = nullptr;
  return {folder, std::string(slash == std::string_view::npos ? path : path.substr(slash + 1))};
}

Disk::Image::Image() : root_(std::make_shared<Node>()) { root_->directory = true; }
Disk::Image Disk::Image::clone() const { return Image(root_->copy(nullptr)); }

Disk::Disk(std::uint64_t seed) : Disk(Image(), seed) {}
Disk::Disk(Image image, std::uint64_t seed) : life_(std::make_shared<Life>(seed)) {
  life_->root = std::move(image.root_);
  life_->used_bytes = bytes_below(*life_->root);
}
Disk::~Disk() = default;

std::uint64_t Disk::operations() const {
  const std::lock_guard guard(life_->lock);
  return life_->operations;
}
void Disk::crash_at(std::uint64_t operation) {
  const std::lock_guard guard(life_->lock);
  life_->crash_at = operation;
}
void Disk::fail_at(std::uint64_t operation, Error error, std::uint64_t count) {
  const std::lock_guard guard(life_->lock);
  life_->fail_from = operation;
  life_->fail_with = error;
  life_->fail_count = count;
}
void Disk::fail_reads(std::string_view path, std::uint64_t offset, std::uint64_t length) {
  const std::lock_guard guard(life_->lock);
  if (auto node = life_->find(path)) life_->bad.push_back({node, offset, offset + length});
}
void Disk::limit(std::uint64_t total_bytes) {
  const std::lock_guard guard(life_->lock);
  life_->total_bytes = total_bytes;
}
bool Disk::flip_bit(std::string_view path, std::uint64_t bit_offset) {
  const std::lock_guard guard(life_->lock);
  auto node = life_->find(path);
  const auto octet = bit_offset / 8;
  if (!node || node->directory || octet >= node->size) return false;
  auto& sector = node->sectors[octet / sector_bytes];
  if (sector.empty()) sector.assign(sector_bytes, '\0');
  sector[octet % sector_bytes] = static_cast<char>(sector[octet % sector_bytes] ^ 1 << bit_offset % 8);
  return true;
}
bool Disk::cut(std::string_view path, std::uint64_t size) {
  const std::lock_guard guard(life_->lock);
  auto node = life_->find(path);
  if (!node || node->directory || size > node->size) return false;
  life_->used_bytes -= node->size - size;
  node->resize(size);
  node->synced();
  return true;
}
bool Disk::crashed() const {
  const std::lock_guard guard(life_->lock);
  return life_->dead;
}
void Disk::survey_at(std::uint64_t operation, std::uint64_t chance, std::function<void(Image)> take) {
  const std::lock_guard guard(life_->lock);
  life_->survey_at = operation;
  life_->survey_chance = chance;
  life_->survey = std::move(take);
}
void Disk::on_crash(std::function<void()> notify) {
  const std::lock_guard guard(life_->lock);
  life_->notify = std::move(notify);
}

Disk::Image Disk::crash() {
  const std::lock_guard guard(life_->lock);
  life_->dead = true;
  life_->notify = nullptr;
  return Image(life_->root->copy(&life_->chance));
}
Disk::Image Disk::image() const {
  const std::lock_guard guard(life_->lock);
  return Image(life_->root->copy(nullptr));
}
Disk::Image Disk::survivor(std::uint64_t chance) const {
  const std::lock_guard guard(life_->lock);
  Random draw(chance);
  return Image(life_->root->copy(&draw));
}

std::string Disk::content(std::string_view path) const {
  const std::lock_guard guard(life_->lock);
  const auto node = life_->find(path);
  if (!node || node->directory) return {};
  std::string all(node->size, '\0');
  node->read(0, Room(all.data(), all.size()));
  return all;
}
std::vector<std::string> Disk::files() const {
  const std::lock_guard guard(life_->lock);
  std::vector<std::string> out;
  list_files(*life_->root, "", out);
  return out;
}

Result<std::unique_ptr<world::File>> Disk::open(std::string_view path, Mode mode) {
  const std::lock_guard guard(life_->lock);
  if (auto ok = life_->alive(); !ok) return failed(ok);
  if (!valid_path(path)) return failure(Failure::Kind::permanent, "F-1209", "Bad path", std::string(path));
  auto node = life_->find(path);
  const bool creates = mode == Mode::create || mode == Mode::create_new;
  if (node && (node->directory || mode == Mode::create_new)) {
    return failure(Failure::Kind::permanent, "F-1210", "The file exists", std::string(path));
  }
  if (!node && !creates) return no_such_file(path);
  if (!node) {
    auto [folder, name] = life_->parent(path);
    if (!folder || name.empty()) return no_such_file(path);
    node = std::make_shared<Node>();
    Node::Change change{{name, node}};
    if (auto ok = life_->operation([&, to = folder] { to->change(change); }); !ok) return failed(ok);
    folder->change(std::move(change));
  }
  return std::make_unique<OpenFile>(life_, std::move(node), mode != Mode::read);
}

Result<void> Disk::rename(std::string_view from, std::string_view to) {
  const std::lock_guard guard(life_->lock);
  if (auto ok = life_->alive(); !ok) return ok;
  if (!valid_path(from) || !valid_path(to)) return failure(Failure::Kind::permanent, "F-1211", "Bad path");
  auto node = life_->find(from);
  auto [from_folder, from_name] = life_->parent(from);
  auto [to_folder, to_name] = life_->parent(to);
  if (!node || !to_folder || to_name.empty()) return no_such_file(from);
  const auto replaced = life_->find(to);
  if (replaced && replaced->directory != node->directory) {
    return failure(Failure::Kind::permanent, "F-1212", "The target is of another kind", std::string(to));
  }
  if (replaced == node) return {};
  const auto move = [&, source = from_folder, target = to_folder, &old = from_name, &fresh = to_name] {
    if (source == target) {
      source->change({{old, nullptr}, {fresh, node}});
    } else {
      target->change({{fresh, node}});
      source->change({{old, nullptr}});
    }
  };
  if (auto ok = life_->operation(move); !ok) return ok;
  if (replaced) life_->used_bytes -= replaced->size;
  move();
  return {};
}

Result<void> Disk::remove(std::string_view path) {
  const std::lock_guard guard(life_->lock);
  if (auto ok = life_->alive(); !ok) return ok;
  auto node = life_->find(path);
  auto [folder, name] = life_->parent(path);
  if (!node || !folder || name.empty() || !valid_path(path)) return no_such_file(path);
  if (!node->entries.empty()) {
    return failure(Failure::Kind::permanent, "F-1213", "The folder is not empty", std::string(path));
  }
  Node::Change change{{name, nullptr}};
  if (auto ok = life_->operation([&, from = folder] { from->change(change); }); !ok) return ok;
  folder->change(std::move(change));
  life_->used_bytes -= std::min(life_->used_bytes, node->size);
  return {};
}

Result<void> Disk::create_directory(std::string_view path) {
  const std::lock_guard guard(life_->lock);
  if (auto ok = life_->alive(); !ok) return ok;
  if (!valid_path(path)) return failure(Failure::Kind::permanent, "F-1214", "Bad path", std::string(path));
  if (const auto there = life_->find(path)) {
    if (there->directory) return {};
    return failure(Failure::Kind::permanent, "F-1215", "A file is in the way", std::string(path));
  }
  auto [folder, name] = life_->parent(path);
  if (!folder || name.empty()) return no_such_file(path);
  auto node = std::make_shared<Node>();
  node->directory = true;
  Node::Change change{{name, node}};
  if (auto ok = life_->operation([&, to = folder] { to->change(change); }); !ok) return ok;
  folder->change(std::move(change));
  return {};
}

Result<std::vector<std::string>> Disk::list(std::string_view path) {
  const std::lock_guard guard(life_->lock);
  if (auto ok = life_->alive(); !ok) return failed(ok);
  const auto node = life_->find(path);
  if (!node || !node->directory) return no_such_file(path);
  std::vector<std::string> names;
  for (const auto& [name, child] : node->entries) names.push_back(name);
  return names;
}

Result<bool> Disk::exists(std::string_view path) {
  const std::lock_guard guard(life_->lock);
  if (auto ok = life_->alive(); !ok) return failed(ok);
  return life_->find(path) != nullptr;
}

Result<void> Disk::sync_directory(std::string_view path) {
  const std::lock_guard guard(life_->lock);
  if (auto ok = life_->alive(); !ok) return ok;
  const auto node = life_->find(path);
  if (!node || !node->directory) return no_such_file(path);
  const auto sync = [&] {
    node->synced_entries = node->entries;
    node->changes.clear();
  };
  if (auto ok = life_->operation(sync); !ok) return ok;
  sync();
  return {};
}

Result<world::Disk::Space> Disk::space() {
  const std::lock_guard guard(life_->lock);
  if (auto ok = life_->alive(); !ok) return failed(ok);
  const auto used = std::min(life_->used_bytes, life_->total_bytes);
  return Space{life_->total_bytes - used, life_->total_bytes};
}

}  // namespace facteur::sim
