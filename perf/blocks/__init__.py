"""Whole blocks of diffusion transformers as lists of commands, and how busy they keep the array.

====================  ==========================================================================
module                what it has
====================  ==========================================================================
`block_list`          a list of commands made from shapes: no tensor holds a number
`models`              the blocks of DiT-XL/2, PixArt-Sigma and SD3 as such lists
`by_shape`            what the cycle model must know of a command, all blocks being MX6
`figures`             cycles and useful multiplications of a block
`command`             ``mixdit study block``
====================  ==========================================================================
"""
