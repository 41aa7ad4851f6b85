#include <algorithm>
#include <utility>

#include "base/assert.hpp"
#include "store/engine.hpp"

namespace facteur::store {

Content::Content(std::shared_ptr<const void> pin, std::vector<Bytes> pieces)
    : pin_(std::move(pin)), pieces_(std::move(pieces)) {
  for (const Bytes piece : pieces_) size_ += piece.size();
}

Content Content::copy_of(std::string octets) {
  auto owned = std::make_shared<const std::string>(std::move(octets));
  std::vector<Bytes> pieces;
  if (!owned->empty()) pieces.emplace_back(*owned);
  return {std::move(owned), std::move(pieces)};
}

std::string Content::slice(std::uint64_t offset, std::uint64_t length) const {
  std::string out;
  if (offset >= size_) return out;
  length = std::min(length, size_ - offset);
  out.reserve(length);
  for (Bytes piece : pieces_) {
    if (length == 0) break;
    if (offset >= piece.size()) {
      offset -= piece.size();
      continue;
    }
    piece = piece.substr(offset, length);
    out += piece;
    length -= piece.size();
    offset = 0;
  }
  return out;
}

namespace {

std::string reference_key(const BlobId& id, Bytes owner) {
  ASSERT(!owner.empty() && owner.size() <= 64);
  std::string key(id.bytes());
  key += owner;
  return key;
}

}  // namespace

void Batch::put(Bytes key, Bytes value) {
  operations.push_back({Operation::Kind::put, std::string(key), std::string(value)});
}

void Batch::remove(Bytes key) { operations.push_back({Operation::Kind::remove, std::string(key), {}}); }

void Batch::add_blob(std::unique_ptr<Upload> upload) {
  const BlobId id = upload->finish();
  blobs.push_back({id, {}, std::move(upload)});
}

void Batch::add_blob(const BlobId& id, std::string octets) { blobs.push_back({id, std::move(octets), nullptr}); }

void Batch::reference(const BlobId& id, Bytes owner) {
  operations.push_back({Operation::Kind::reference, reference_key(id, owner), {}});
}

void Batch::unreference(const BlobId& id, Bytes owner) {
  operations.push_back({Operation::Kind::unreference, reference_key(id, owner), {}});
}

void Batch::join(Batch other) {
  operations.insert(operations.end(), std::make_move_iterator(other.operations.begin()),
                    std::make_move_iterator(other.operations.end()));
  blobs.insert(blobs.end(), std::make_move_iterator(other.blobs.begin()), std::make_move_iterator(other.blobs.end()));
  chains.insert(chains.end(), other.chains.begin(), other.chains.end());
}

bool Batch::empty() const { return operations.empty() && blobs.empty(); }

std::size_t Batch::bytes() const {
  std::size_t sum = 64;
  for (const Operation& operation : operations) sum += operation.key.size() + operation.value.size() + 8;
  for (const NewBlob& blob : blobs) sum += 64 + (blob.upload ? blob.upload->size() : blob.octets.size());
  return sum;
}

}  // namespace facteur::store
