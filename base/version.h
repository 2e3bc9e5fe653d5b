// The program's version, as CMakeLists.txt has it.
#pragma once

namespace assent {

inline constexpr const char* kVersion = ASSENT_VERSION;

}  // namespace assent
