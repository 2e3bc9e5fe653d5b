// The heap of the simulator's processes, each of which has one thread: a run asks for small blocks
// some ten thousand times in a simulated second, and a list of free ones for each size answers
// several times as fast as the general heap. Not under a sanitizer, which has a heap of its own.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

namespace {

constexpr std::size_t kStep = 16;  // of sizes, and what every block is aligned to
constexpr std::size_t kSmallMax = 1'024;
constexpr std::size_t kSizes = kSmallMax / kStep + 1;
constexpr std::size_t kSlab = std::size_t{1} << 18;

// In front of each block: which list it goes back to; 0: to the general heap.
struct alignas(kStep) Header {
  std::size_t size_class = 0;
};
struct Free {
  Free* next = nullptr;
};

std::array<Free*, kSizes> free_blocks{};
std::byte* slab = nullptr;
std::size_t slab_left = 0;

void* from_general_heap(std::size_t bytes) {
  void* const block = std::malloc(bytes);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

void* carve(std::size_t size_class) {
  const std::size_t bytes = sizeof(Header) + size_class * kStep;
  if (slab_left < bytes) {
    slab = static_cast<std::byte*>(from_general_heap(kSlab));
    slab_left = kSlab;
  }
  std::byte* const block = slab;
  slab += bytes;
  slab_left -= bytes;
  return new (block) Header{size_class} + 1;
}

void* allocate(std::size_t bytes) {
  if (bytes > kSmallMax) {
    void* const block = from_general_heap(sizeof(Header) + bytes);
    return new (block) Header{} + 1;
  }
  const std::size_t size_class = bytes == 0 ? 1 : (bytes + kStep - 1) / kStep;
  Free* const block = free_blocks[size_class];
  if (block == nullptr) return carve(size_class);
  free_blocks[size_class] = block->next;
  return block;
}

void release(void* block) {
  if (block == nullptr) return;
  Header* const header = static_cast<Header*>(block) - 1;
  const std::size_t size_class = header->size_class;
  if (size_class == 0) return std::free(header);
  free_blocks[size_class] = new (block) Free{free_blocks[size_class]};
}

}  // namespace

void* operator new(std::size_t bytes) {
  return allocate(bytes);
}
void operator delete(void* block) noexcept {
  release(block);
}
void operator delete(void* block, std::size_t /*bytes*/) noexcept {
  release(block);
}

#endif
