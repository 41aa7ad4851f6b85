// What stands in the records `transaction`, `move` and `drop` of the log. Pure functions; the inverse of each is total.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/engine.hpp"
#include "store/format.hpp"

namespace facteur::store {

// A blob that a transaction adds. Its last octets (or all) are in the body record in front of the transaction; what
// came as chunks before, in `streamed`.
struct AddedBlob {
  BlobId id;
  std::uint64_t size = 0;
  bool referenced = false;  // By an operation of the same batch.
  std::vector<Piece> streamed;
};

std::string encode_transaction(const std::vector<AddedBlob>& blobs, const std::vector<Batch::Operation>& operations);

// Walks through a transaction without copying it.
class TransactionParser {
 public:
  explicit TransactionParser(Bytes payload) : rest_(payload) {}

  // First all blobs; nullopt: damaged. Called once.
  std::optional<std::vector<AddedBlob>> blobs();

  struct Operation {
    Batch::Operation::Kind kind{};
    Bytes key, value;  // Point into the payload.
  };
  std::optional<Operation> next();             // nullopt: the end, or damaged.
  bool done() const { return rest_.empty(); }  // Otherwise damaged.

 private:
  Bytes rest_;
};

struct Move {
  BlobId id;
  std::vector<Piece> from, to;
};
std::string encode(const Move& move);
std::optional<Move> decode_move(Bytes payload);

struct Drop {
  BlobId id;
  std::int64_t stored_ms = 0;  // As it was when this was decided: a blob added again since then stays.
};
std::string encode(const Drop& drop);
std::optional<Drop> decode_drop(Bytes payload);

struct SnapshotEnd {
  Position begin;           // Its first record.
  Position of;              // Holds all below.
  std::uint32_t parts = 0;  // Records of type snapshot since `begin` with `number`.
  std::uint64_t number = 0;
  std::uint64_t keys = 0;
};
std::string encode(const SnapshotEnd& end);
std::optional<SnapshotEnd> decode_snapshot_end(Bytes payload);

}  // namespace facteur::store
