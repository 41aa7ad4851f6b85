// A run: each part is copied, then the manifest names them all.
#include <algorithm>
#include <memory>

#include "backup/repository.hpp"
#include "base/base64.hpp"
#include "observe/timestamp.hpp"
#include "store/segment_reader.hpp"

namespace facteur::backup {
namespace {

constexpr std::uint32_t stride = 1 << 20;
constexpr std::uint64_t read_again_one_in = 16;

std::string name_of(UtcTime time) {
  std::string out = observe::to_iso8601(time);
  std::erase_if(out, [](char c) { return c == '-' || c == ':'; });
  return out;
}

class DamageList final : public store::SegmentVisitor {
 public:
  explicit DamageList(std::vector<std::string>& places, std::uint32_t segment) : places_(places), segment_(segment) {}
  Result<void> group(const store::GroupHeader&) override { return {}; }
  Result<void> group_end(const store::GroupHeader&) override { return {}; }
  Result<void> record(const store::Position& at, const store::RecordHeader&, Bytes, bool whole) override {
    if (!whole) places_.push_back(store::to_string(at));
    return {};
  }
  Result<void> damage(std::uint32_t from, std::uint32_t, std::string) override {
    places_.push_back(store::to_string({segment_, from}));
    return {};
  }

 private:
  std::vector<std::string>& places_;
  std::uint32_t segment_;
};

}  // namespace

Result<Run> Run::begin(Repository& repository, const Pace& pace) {
  for (const std::string_view folder : {"segments", "files", "manifests"}) {
    if (auto made = repository.disk().create_directory(folder); !made) return failed(made);
  }
  if (auto synced = repository.disk().sync_directory(""); !synced) return failed(synced);
  Run out(repository, pace);
  for (const auto& generation : repository.generations()) {
    out.manifest_.sequence = std::max(out.manifest_.sequence, generation.manifest.sequence + 1);
  }
  return out;
}

const SegmentEntry* Run::longest(const SegmentEntry& of) const {
  const SegmentEntry* out = nullptr;
  for (const auto& generation : repository_.generations()) {
    for (const auto& segment : generation.manifest.segments) {
      if (segment.number != of.number || segment.nonce != of.nonce) continue;
      if (!out || segment.length > out->length) out = &segment;
    }
  }
  return out;
}

const SegmentEntry* Run::same(const SegmentEntry& of) const {
  for (const auto& generation : repository_.generations()) {
    const auto found = std::ranges::find_if(generation.manifest.segments, [&](const SegmentEntry& one) {
      return one.number == of.number && one.nonce == of.nonce && one.length == of.length;
    });
    if (found != generation.manifest.segments.end()) return &*found;
  }
  return nullptr;
}

// Takes the known octets into `hash`; whether they are as they were.
bool Run::intact(world::File& copy, const SegmentEntry& known, crypto::Sha256& hash) {
  std::string octets;
  for (std::uint32_t at = 0; at < known.length;) {
    octets.resize(std::min(stride, known.length - at));
    auto read = copy.read_at(at, Room(octets.data(), octets.size()));
    if (!read || *read != octets.size() || !pace_(octets.size())) return false;
    hash.update(octets);
    at += static_cast<std::uint32_t>(octets.size());
  }
  crypto::Sha256 so_far = hash;
  return to_hex(so_far.finish().view()) == known.sha256;
}

// [from, to) of the copy becomes as in the original, and goes into `hash`. What is so already is not written.
Result<void> Run::bring(world::File& original, world::File& copy, std::uint32_t from, std::uint32_t to,
                        crypto::Sha256& hash) {
  std::string octets;
  std::string there;
  for (std::uint32_t at = from; at < to;) {
    octets.resize(std::min(stride, to - at));
    auto read = original.read_at(at, Room(octets.data(), octets.size()));
    if (!read) return failed(read);
    if (*read != octets.size()) {
      return failure(Failure::Kind::corrupt, "F-8003", "The log of the store is shorter than it should be");
    }
    hash.update(octets);
    there.resize(octets.size());
    auto had = copy.read_at(at, Room(there.data(), there.size()));
    if (!had || *had != octets.size() || there != octets) {
      if (auto put = copy.write_at(at, Bytes(octets)); !put) return put;
      written_ += octets.size();
    }
    if (auto went = pace_(octets.size()); !went) return went;
    at += static_cast<std::uint32_t>(octets.size());
  }
  return copy.sync();
}

// What an earlier run saw in the octets that this one does not look at.
void Run::carry_damage(const SegmentEntry& segment) {
  const std::string prefix = store::segment_path(segment.number) + " @ ";
  const auto& all = repository_.generations();
  const auto before = std::find_if(all.rbegin(), all.rend(), [&](const Generation& generation) {
    return std::ranges::any_of(generation.manifest.segments, [&](const SegmentEntry& one) {
      return one.number == segment.number && one.nonce == segment.nonce;
    });
  });
  if (before == all.rend()) return;
  for (const auto& place : before->manifest.damaged) {
    const bool new_here = std::ranges::find(manifest_.damaged, place) == manifest_.damaged.end();
    if (place.starts_with(prefix) && new_here) manifest_.damaged.push_back(place);
  }
}

Result<void> Run::note_damage(world::File& original, const store::HeldLog::Part& part, std::uint32_t from) {
  auto header = store::read_segment_header(original);
  if (!header) return failed(header);
  if (!*header || (*header)->segment != part.segment || (*header)->nonce != part.nonce) {
    return failure(Failure::Kind::corrupt, "F-8004", "The log of the store is not the one that was promised",
                   store::segment_path(part.segment));
  }
  DamageList list(manifest_.damaged, part.segment);
  store::WalkOptions options;
  options.from = std::max(from, store::first_group);
  options.bodies = true;
  return options.from < part.length ? store::walk(original, **header, part.length, options, list) : Result<void>();
}

Result<void> Run::add(const store::HeldLog::Part& part, world::File& original) {
  SegmentEntry entry{part.segment, part.nonce, part.length, {}};
  const std::string path = segment_file(entry);
  auto copy = repository_.disk().open(path, world::Disk::Mode::create);
  if (!copy) return failed(copy);
  auto size = (*copy)->size();
  if (!size) return failed(size);
  const SegmentEntry* exact = same(entry);
  const bool again = (manifest_.segments.size() + manifest_.sequence) % read_again_one_in == 0;
  if (exact && *size >= part.length && !again) {
    manifest_.segments.push_back(*exact);
    carry_damage(entry);
    return {};
  }
  // From here on the older octets of the copy are read, so that the checksum can go on; they must be as they were.
  crypto::Sha256 hash;
  std::uint32_t from = 0;
  const SegmentEntry* known = exact ? exact : longest(entry);
  if (known && known->length <= part.length) {
    if (intact(**copy, *known, hash)) {
      from = known->length;
    } else {
      hash = crypto::Sha256();
      mended_.push_back(path);
    }
  }
  // Paid for before the copy: a segment that is not the promised one must not get into it.
  if (auto noted = note_damage(original, part, from); !noted) return noted;
  if (auto brought = bring(original, **copy, from, part.length, hash); !brought) return brought;
  entry.sha256 = to_hex(hash.finish().view());
  carry_damage(entry);
  manifest_.segments.push_back(std::move(entry));
  return {};
}

Result<void> Run::add(std::string what, std::string path, Bytes content) {
  FileEntry entry{std::move(what), std::move(path), content.size(), to_hex(crypto::sha256(content).view())};
  if (!backup::read(repository_, entry)) {
    if (auto put = write_whole(repository_.disk(), content_file(entry.sha256), content); !put) return put;
    written_ += content.size();
  }
  manifest_.files.push_back(std::move(entry));
  return {};
}

Result<std::string> Run::finish(std::string instance, std::string version, UtcTime taken) {
  auto& disk = repository_.disk();
  manifest_.instance = std::move(instance);
  manifest_.version = std::move(version);
  manifest_.taken = taken;
  for (const std::string_view folder : {"segments", "files"}) {
    if (auto synced = disk.sync_directory(folder); !synced) return failed(synced);
  }
  std::string name = name_of(taken);
  while (repository_.find(name) != nullptr) name = name_of(taken = taken + 1ms);
  const std::string text = encode(manifest_);
  if (auto put = write_whole(disk, "manifests/" + name + ".json", text); !put) return failed(put);
  repository_.generations_.push_back({name, manifest_});
  return name;
}

}  // namespace facteur::backup
