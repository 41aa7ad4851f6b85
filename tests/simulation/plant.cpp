#include "plant.hpp"

#include "queue/record.hpp"

namespace facteur::simulation {

namespace {

class LazyFile : public world::File {
 public:
  LazyFile(std::unique_ptr<world::File> file, bool lazy, sim::Random& chance)
      : file_(std::move(file)), lazy_(lazy), chance_(chance) {}

  Result<std::uint64_t> size() override { return file_->size(); }
  Result<std::size_t> read_at(std::uint64_t offset, Room room) override { return file_->read_at(offset, room); }
  Result<void> write_at(std::uint64_t offset, std::span<const Bytes> pieces) override {
    return file_->write_at(offset, pieces);
  }
  Result<void> sync() override { return lazy_ && chance_.happens(250) ? Result<void>() : file_->sync(); }
  Result<void> truncate(std::uint64_t size) override { return file_->truncate(size); }
  Result<void> reserve(std::uint64_t size) override { return file_->reserve(size); }
  Bytes map(std::uint64_t offset, std::size_t length) override { return file_->map(offset, length); }

 private:
  std::unique_ptr<world::File> file_;
  bool lazy_;
  sim::Random& chance_;
};

class LazyDisk : public world::Disk {
 public:
  LazyDisk(Plant plant, world::Disk& disk, sim::Random& chance) : plant_(plant), disk_(disk), chance_(chance) {}

  Result<std::unique_ptr<world::File>> open(std::string_view path, Mode mode) override {
    auto file = disk_.open(path, mode);
    if (!file) return file;
    return std::make_unique<LazyFile>(std::move(*file), plant_ == Plant::skipped_sync, chance_);
  }
  Result<void> rename(std::string_view from, std::string_view to) override { return disk_.rename(from, to); }
  Result<void> remove(std::string_view path) override { return disk_.remove(path); }
  Result<void> create_directory(std::string_view path) override { return disk_.create_directory(path); }
  Result<std::vector<std::string>> list(std::string_view path) override { return disk_.list(path); }
  Result<bool> exists(std::string_view path) override { return disk_.exists(path); }
  Result<void> sync_directory(std::string_view path) override {
    return plant_ == Plant::skipped_rename ? Result<void>() : disk_.sync_directory(path);
  }
  Result<Space> space() override { return disk_.space(); }
  std::string root() const override { return disk_.root(); }

 private:
  Plant plant_;
  world::Disk& disk_;
  sim::Random& chance_;
};

class FaultyEngine : public store::Engine {
 public:
  FaultyEngine(Plant plant, store::Engine& engine, sim::Random& chance)
      : plant_(plant), engine_(engine), chance_(chance) {}

  std::shared_ptr<const store::Reader> snapshot() const override { return engine_.snapshot(); }
  const store::Reader& latest() const override { return engine_.latest(); }
  std::unique_ptr<store::Upload> upload() override { return engine_.upload(); }
  Result<std::optional<store::Content>> content(const store::BlobId& id) const override { return engine_.content(id); }
  Health health() const override { return engine_.health(); }
  std::vector<Corrupt> quarantined() const override { return engine_.quarantined(); }

  Task<Result<void>> commit(store::Batch batch) override {
    switch (plant_) {
      case Plant::early_250:
        late_.start(commit_later(std::move(batch)));
        co_return Result<void>();
      case Plant::modseq_reused:
        drop_puts(batch, 'A');
        break;
      case Plant::uid_reused:
        drop_puts(batch, 'C');
        break;
      case Plant::forgotten_change:
        if (batch.blobs.empty() && chance_.happens(125)) co_return Result<void>();
        break;
      case Plant::queue_too_soon:
        co_return co_await commit_and_remove(std::move(batch));
      default:
        break;
    }
    co_return co_await engine_.commit(std::move(batch));
  }

 private:
  Task<void> commit_later(store::Batch batch) {
    const auto ignored = co_await engine_.commit(std::move(batch));
    static_cast<void>(ignored);
  }

  void drop_puts(store::Batch& batch, char subspace) {
    std::erase_if(batch.operations, [&](const auto& operation) {
      return operation.kind == store::Batch::Operation::Kind::put && operation.key.starts_with(subspace) &&
             chance_.happens(300);
    });
  }

  Task<Result<void>> commit_and_remove(store::Batch batch) {
    store::Batch removal;
    for (const auto& operation : batch.operations) {
      if (operation.kind == store::Batch::Operation::Kind::put && queue::parse_key(operation.key)) {
        removal.remove(operation.key);
      }
    }
    auto done = co_await engine_.commit(std::move(batch));
    if (done && !removal.empty()) late_.start(commit_later(std::move(removal)));
    co_return done;
  }

  Plant plant_;
  store::Engine& engine_;
  sim::Random& chance_;
  TaskGroup late_;
};

}  // namespace

std::unique_ptr<world::Disk> plant_in_disk(Plant plant, world::Disk& disk, sim::Random& chance) {
  return std::make_unique<LazyDisk>(plant, disk, chance);
}

std::unique_ptr<store::Engine> plant_in_engine(Plant plant, store::Engine& engine, sim::Random& chance) {
  return std::make_unique<FaultyEngine>(plant, engine, chance);
}

}  // namespace facteur::simulation
