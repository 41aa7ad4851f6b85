#include "store/transaction.hpp"

#include "base/assert.hpp"
#include "store/key.hpp"

namespace facteur::store {

namespace {

std::optional<std::vector<Piece>> decode_pieces(Parser& p) {
  const std::uint32_t count = p.u32();
  if (!p.ok() || p.rest().size() / 12 < count) return std::nullopt;
  std::vector<Piece> pieces(count);
  for (Piece& piece : pieces) {
    piece.at = Position::from(p.u64());
    piece.length = p.u32();
  }
  return pieces;
}

}  // namespace

std::string encode_transaction(const std::vector<AddedBlob>& blobs, const std::vector<Batch::Operation>& operations) {
  std::size_t size = 4;
  for (const AddedBlob& blob : blobs) size += 48 + blob.streamed.size() * 12;
  for (const auto& operation : operations) size += 7 + operation.key.size() + operation.value.size();
  std::string out;
  out.reserve(size);
  out += Key().u32(static_cast<std::uint32_t>(blobs.size())).text();
  for (const AddedBlob& blob : blobs) {
    out += Key().raw(blob.id.bytes()).u64(blob.size).u8(blob.referenced).text();
    encode(blob.streamed, out);
  }
  for (const auto& [kind, key, value] : operations) {
    ASSERT(key.size() <= UINT16_MAX && value.size() <= longest_group);
    const auto k = static_cast<std::uint32_t>(key.size());
    const auto v = static_cast<std::uint32_t>(value.size());
    const char head[] = {static_cast<char>(kind),    static_cast<char>(k >> 8),  static_cast<char>(k),
                         static_cast<char>(v >> 24), static_cast<char>(v >> 16), static_cast<char>(v >> 8),
                         static_cast<char>(v)};
    out.append(head, sizeof head);
    out += key;
    out += value;
  }
  return out;
}

std::optional<std::vector<AddedBlob>> TransactionParser::blobs() {
  Parser p(rest_);
  const std::uint32_t count = p.u32();
  std::vector<AddedBlob> blobs;
  for (std::uint32_t i = 0; i < count; ++i) {
    AddedBlob blob;
    blob.id = BlobId::from(p.raw(32));
    blob.size = p.u64();
    blob.referenced = p.u8() != 0;
    auto pieces = decode_pieces(p);
    if (!pieces) return std::nullopt;
    blob.streamed = std::move(*pieces);
    blobs.push_back(std::move(blob));
  }
  if (!p.ok()) return std::nullopt;
  rest_ = p.rest();
  return blobs;
}

std::optional<TransactionParser::Operation> TransactionParser::next() {
  if (rest_.empty()) return std::nullopt;
  Parser p(rest_);
  Operation operation;
  const std::uint8_t kind = p.u8();
  const std::uint16_t key = p.u16();
  const std::uint32_t value = p.u32();
  operation.key = p.raw(key);
  operation.value = p.raw(value);
  if (!p.ok() || kind > static_cast<std::uint8_t>(Batch::Operation::Kind::unreference)) return std::nullopt;
  operation.kind = static_cast<Batch::Operation::Kind>(kind);
  const bool reference =
      operation.kind == Batch::Operation::Kind::reference || operation.kind == Batch::Operation::Kind::unreference;
  if (operation.key.size() < (reference ? 33U : 1U)) return std::nullopt;
  rest_ = p.rest();
  return operation;
}

std::string encode(const Move& move) {
  std::string out(move.id.bytes());
  encode(move.from, out);
  encode(move.to, out);
  return out;
}

std::optional<Move> decode_move(Bytes payload) {
  Parser p(payload);
  Move move;
  move.id = BlobId::from(p.raw(32));
  auto from = decode_pieces(p);
  if (!from) return std::nullopt;
  auto to = decode_pieces(p);
  if (!to || !p.done()) return std::nullopt;
  move.from = std::move(*from);
  move.to = std::move(*to);
  return move;
}

std::string encode(const Drop& drop) {
  return Key().raw(drop.id.bytes()).u64(static_cast<std::uint64_t>(drop.stored_ms)).take();
}

std::optional<Drop> decode_drop(Bytes payload) {
  Parser p(payload);
  Drop drop;
  drop.id = BlobId::from(p.raw(32));
  drop.stored_ms = static_cast<std::int64_t>(p.u64());
  if (!p.done()) return std::nullopt;
  return drop;
}

std::string encode(const SnapshotEnd& end) {
  return Key().u64(end.begin.number()).u64(end.of.number()).u32(end.parts).u64(end.number).u64(end.keys).take();
}

std::optional<SnapshotEnd> decode_snapshot_end(Bytes payload) {
  Parser p(payload);
  SnapshotEnd end;
  end.begin = Position::from(p.u64());
  end.of = Position::from(p.u64());
  end.parts = p.u32();
  end.number = p.u64();
  end.keys = p.u64();
  if (!p.done()) return std::nullopt;
  return end;
}

}  // namespace facteur::store
